"""What operators see of a queue."""

from penstock.engine.memory_store.state import QueueState
from penstock.engine.store import QueueFacts


def facts(queue: QueueState, now: int) -> QueueFacts:
    """Depths and ages in one look."""
    return QueueFacts(
        queue=queue.name,
        now=now,
        ready=len(queue.ready),
        scheduled=len(queue.scheduled),
        running=len(queue.running),
        dead=queue.jobs.dead,
        workers=sum(expiry > now for expiry in queue.leases.values()),
        oldest_ready=min((queue.jobs[suffix].header.due for suffix in queue.ready.heads()), default=None),
        oldest_running=min((hold.since for hold in queue.running.values()), default=None),
        next_due=queue.scheduled.next_due(),
    )
