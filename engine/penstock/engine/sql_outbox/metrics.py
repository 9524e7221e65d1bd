"""What a relay of an outbox counts of itself.

Every relay counts the rows of the same table: take the largest, not the sum.
"""

from penstock.engine.metric import PART, Counter, Gauge
from penstock.engine.sql.part import Part, measures
from penstock.engine.sql_outbox.errors import KINDS

OUTBOX = Part("outbox", KINDS, measures("sql_outbox", "SQL outbox"))

MOVED = Counter(
    PART,
    "sql_outbox_moved",
    "Jobs moved from the SQL outbox to the broker: submitted, those recognised by their id included, or "
    "duplicate (another job stood for it).",
    ("queue", "result"),
)
SET_ASIDE = Counter(
    PART,
    "sql_outbox_set_aside",
    "Rows of the SQL outbox that cannot be moved: malformed, conflict (of an idempotency key), in_doubt.",
    ("reason",),
)
ROWS = Gauge(
    PART,
    "sql_outbox_rows",
    "Rows in the SQL outbox: waiting to be moved, newer (only a relay of a newer version can), set aside.",
    ("state",),
)
LAG_SECONDS = Gauge(PART, "sql_outbox_lag_seconds", "Age of the oldest row that waits in the SQL outbox.")

METRICS = (MOVED, SET_ASIDE, ROWS, LAG_SECONDS, *OUTBOX.measures)
