"""Moving on the jobs that wait for time to pass, or were held by a worker that died."""

from penstock.engine.failure_counts import Failure
from penstock.engine.job import JobState
from penstock.engine.memory_store import failing
from penstock.engine.memory_store.state import QueueState
from penstock.engine.store import Promotion, Reaping


def promote(queue: QueueState, now: int, limit: int) -> Promotion:
    """What is due becomes ready; it keeps its due time, which says since when it waits."""
    due = queue.scheduled.take_due(now, limit)
    for suffix in due:
        queue.jobs.rewrite(suffix, state=JobState.READY)
        queue.make_ready(suffix)
    if due:
        queue.wake_one()
    return Promotion(len(due), queue.scheduled.next_due(), now)


def reap(
    queue: QueueState,
    now: int,
    *,
    max_crashes: int,
    ending: bytes,
    keep: int,
    failure: Failure | None = None,
    limit: int,
    patience: int = 0,
) -> Reaping:
    """First revoke, so that no fence opens any more for the dead; then move their jobs, oldest first."""
    revoked = [] if _patient(queue, now, patience) else _revoke_expired(queue, now)
    orphans = _orphans(queue)
    returned: list[str] = []
    dead: list[str] = []
    for suffix in orphans[:limit]:
        crashes = queue.jobs[suffix].header.crashes + 1
        del queue.running[suffix]
        if crashes < max_crashes:
            queue.jobs.rewrite(suffix, crashes=crashes)
            queue.make_ready(suffix)
            returned.append(suffix)
        else:
            # The token stays: a late settlement of the holder is refused.
            queue.jobs.rewrite(suffix, crashes=crashes, ending=ending)
            queue.end(suffix, JobState.DEAD, now, keep)
            failing.count(queue, now, failure, suffix)
            dead.append(suffix)
    failing.make_room(queue)
    _forget_emptied(queue)
    if returned:
        queue.wake_one()
    return Reaping(revoked, returned, dead, remaining=len(orphans) > limit)


def _patient(queue: QueueState, now: int, patience: int) -> bool:
    """Whether nobody may be revoked yet, because nobody looked for a while."""
    if patience == 0:
        return False
    if now - queue.reaped > patience / 2:
        if queue.patient_since == 0 or now - queue.patient_until >= patience:
            queue.patient_since = now
        queue.patient_until = min(now + patience, queue.patient_since + 3 * patience)
    if now >= queue.patient_until:
        queue.patient_since = 0
    queue.reaped = now
    return now < queue.patient_until


def _revoke_expired(queue: QueueState, now: int) -> list[str]:
    expired = sorted((expiry, worker) for worker, expiry in queue.leases.items() if expiry <= now)
    for _, worker in expired:
        queue.forget(worker)
        queue.revoked[worker] = now
    return [worker for _, worker in expired]


def _orphans(queue: QueueState) -> list[str]:
    """Jobs of revoked workers, worker by worker, oldest first."""
    return [
        suffix
        for worker in sorted(queue.revoked, key=lambda worker: (queue.revoked[worker], worker))
        for suffix, hold in queue.running.items()
        if hold.worker == worker
    ]


def _forget_emptied(queue: QueueState) -> None:
    """A revoked worker is remembered only while jobs of it are waiting to be moved."""
    holders = {hold.worker for hold in queue.running.values()}
    for worker in queue.revoked.keys() - holders:
        del queue.revoked[worker]
