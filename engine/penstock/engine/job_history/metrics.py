"""What the history counts and measures of itself."""

from penstock.engine.metric import PART, Counter, Gauge, Histogram

POOL_CONNECTIONS = Gauge(
    PART,
    "history_pool_connections",
    "Connections to the history's database that are open (size) and used (in_use), and calls that wait for "
    "one (waiting).",
    ("state",),
)
POOL_TIMEOUTS = Counter(
    PART, "history_pool_timeouts", "Calls that waited in vain for a connection to the history's database."
)
OPERATION_SECONDS = Histogram(
    PART,
    "history_operation_seconds",
    "How long the history's operations took, those that failed included, from having a connection on.",
    ("operation",),
    buckets=(0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30),
)
ENDINGS = Counter(
    PART, "history_endings", "Endings written to the history, those told again included.", ("state",)
)
PURGED = Counter(PART, "history_purged_jobs", "Jobs removed from the history for their age.", ("state",))
ERRORS = Counter(
    PART, "history_errors", "Operations of the history that failed.", ("operation", "error_type")
)

METRICS = (POOL_CONNECTIONS, POOL_TIMEOUTS, OPERATION_SECONDS, ENDINGS, PURGED, ERRORS)
