"""How often each failure came."""

from penstock.engine.failure_counts import Failure, FailureCount, failure_count, newest_first
from penstock.engine.limits import MAX_FAILURES
from penstock.engine.memory_store.state import QueueState


def count(queue: QueueState, now: int, failure: Failure | None, suffix: str) -> None:
    """Count one; of it and those before, the last one is kept as the example."""
    if failure is None:
        return
    before = queue.failures.get(failure.fingerprint)
    queue.failures[failure.fingerprint] = failure_count(
        queue.name,
        failure.fingerprint,
        count=before.count + 1 if before else 1,
        first=before.first_seen if before else now,
        last=now,
        suffix=suffix,
        sample=failure.sample,
    )


def make_room(queue: QueueState) -> None:
    """Forget those seen longest ago once there are too many, a tenth at once."""
    if len(queue.failures) > MAX_FAILURES:
        by_age = sorted(queue.failures.values(), key=lambda one: (one.last_seen, one.fingerprint))
        for one in by_age[: len(by_age) - MAX_FAILURES * 9 // 10]:
            del queue.failures[one.fingerprint]


def failures(queue: QueueState, now: int) -> list[FailureCount]:
    """All that are kept."""
    return newest_first(list(queue.failures.values()))
