"""What the front end counts by itself, beside what telemetry's middleware sees of each request."""

from penstock.engine.metric import PART, Counter, Gauge, Metric

REFUSALS = Counter(
    PART,
    "api_refusals",
    "Requests, and lines of batches, refused for their token: missing, unknown, expired, or not allowed for "
    "want of the scope, for the tenant, the user or the priority that they name.",
    ("reason",),
)
TOKENS = Gauge(PART, "api_tokens", "Tokens that the API knows, expired ones included.")
TOKENS_STALE = Gauge(
    PART, "api_tokens_stale", "1 while the file of tokens cannot be read and those read before it hold."
)

METRICS: tuple[Metric, ...] = (REFUSALS, TOKENS, TOKENS_STALE)
