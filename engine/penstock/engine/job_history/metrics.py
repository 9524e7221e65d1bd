"""What the history counts and measures of itself."""

from penstock.engine.job_history.errors import KINDS
from penstock.engine.metric import PART, Counter
from penstock.engine.sql.part import Part, measures

HISTORY = Part("history", KINDS, measures("history", "history"))

ENDINGS = Counter(
    PART, "history_endings", "Endings written to the history, those told again included.", ("state",)
)
PURGED = Counter(PART, "history_purged_jobs", "Jobs removed from the history for their age.", ("state",))

METRICS = (*HISTORY.measures[:3], ENDINGS, PURGED, HISTORY.measures.errors)
