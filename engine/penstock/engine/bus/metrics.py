"""What buses and dispatchers count."""

from penstock.engine.metric import PART, Counter, Gauge, Metric

PUBLISHED = Counter(
    PART,
    "bus_published",
    "Events handed to the bus: published, unavailable (some may be stored), refused, cancelled.",
    ("topic", "result"),
)
RECEIVED = Counter(PART, "bus_received", "Events received, redelivered ones included.", ("topic", "group"))
DISPATCHED = Counter(
    PART,
    "bus_dispatched",
    "Events that a handler's dispatcher is done with: submitted (as a job), set_aside.",
    ("topic", "handler", "result"),
)
SET_ASIDE = Counter(
    PART,
    "bus_set_aside",
    "Events that were kept aside: they do not decode into the handler's type, or their job was refused.",
    ("topic", "handler"),
)
LAG = Gauge(PART, "bus_lag_events", "Events that a group has not committed yet.", ("topic", "group"))
ERRORS = Counter(
    PART, "bus_errors", "What a bus's backend did not carry out; each try counts.", ("backend", "error_type")
)
DROPPED_UNREAD = Counter(
    PART,
    "bus_dropped_unread",
    "Events that left a full topic before every group had committed them.",
    ("topic",),
)

METRICS: tuple[Metric, ...] = (PUBLISHED, RECEIVED, DISPATCHED, SET_ASIDE, LAG, ERRORS, DROPPED_UNREAD)
