"""What a relay counts of itself. Every relay of a sink sees the same lag: take the largest, not the sum."""

from penstock.engine.metric import PART, Counter, Gauge

LAG_ENTRIES = Gauge(
    PART, "relay_lag_entries", "Endings that a sink has not acknowledged.", labels=("sink", "queue")
)
LAG_SECONDS = Gauge(
    PART, "relay_lag_seconds", "Age of the oldest ending not acknowledged.", labels=("sink", "queue")
)
ENDINGS = Counter(
    PART, "relay_endings", "Endings that a sink took, repeated ones included.", labels=("sink", "queue")
)
ERRORS = Counter(PART, "relay_errors", "Batches that a sink did not take.", labels=("sink",))
DROPPED = Counter(PART, "events_dropped", "Endings set aside because nobody can read them.", labels=("sink",))

METRICS = (LAG_ENTRIES, LAG_SECONDS, ENDINGS, ERRORS, DROPPED)
