"""What operators see of a queue."""

from penstock.engine.memory_store.state import QueueState
from penstock.engine.store import QueueFacts


def facts(queue: QueueState, now: int) -> QueueFacts:
    """Depths and ages in one look."""
    living = [worker for worker, expiry in queue.leases.items() if expiry > now]
    return QueueFacts(
        queue=queue.name,
        now=now,
        ready=len(queue.ready),
        scheduled=len(queue.scheduled),
        running=len(queue.running),
        dead=queue.jobs.dead,
        workers=len(living),
        oldest_ready=min((queue.jobs[suffix].header.due for suffix in queue.ready.heads()), default=None),
        oldest_running=min((hold.since for hold in queue.running.values()), default=None),
        next_due=queue.scheduled.next_due(),
        slots=sum(queue.slots.get(worker, 0) for worker in living),
    )


def report(queue: QueueState, now: int, reporter: str, lease: int) -> QueueFacts | None:
    """The facts for whoever has the role of telling them, or takes it because nobody's time is left."""
    if any(holder != reporter and until > now for holder, until in queue.reporter.items()):
        return None
    queue.reporter = {reporter: now + lease}
    return facts(queue, now)


def resign(queue: QueueState, now: int, reporter: str) -> None:
    """Leave the role to the next who asks."""
    queue.reporter.pop(reporter, None)
