"""What workers count of schedules."""

from penstock.engine.metric import PART, Counter, Histogram

_LABELS = ("queue", "job", "module")
FIRED = Counter(PART, "schedule_fired", "Jobs that came by themselves.", labels=_LABELS)
SKIPPED = Counter(
    PART,
    "schedule_skipped",
    "Times that moments of schedules passed without a job of their own, by reason.",
    labels=(*_LABELS, "reason"),
)
LATENESS = Histogram(
    PART, "schedule_lateness_seconds", "Seconds from a moment until its job was stored.", labels=_LABELS
)

METRICS = (FIRED, SKIPPED, LATENESS)
