"""A worker's lease on a queue: begun, prolonged, ended."""

from penstock.engine.errors import LeaseLost
from penstock.engine.memory_store.state import QueueState
from penstock.engine.store import Heartbeat, Released


def join(queue: QueueState, now: int, worker: str, lease: int, slots: int) -> None:
    """Begin or prolong; an id that was revoked does not come back while its jobs are being moved."""
    if worker in queue.revoked:
        raise LeaseLost(f"the lease of {worker} on queue {queue.name} has ended; join under a new id")
    queue.leases[worker] = now + lease
    if slots:
        queue.slots[worker] = slots


def heartbeat(queue: QueueState, now: int, worker: str, lease: int) -> Heartbeat | None:
    """Prolong, even a lease that ran out: until it is revoked, nobody has taken anything over."""
    if worker not in queue.leases:
        return None
    queue.leases[worker] = now + lease
    held = list(queue.held_by(worker))
    return Heartbeat(
        now=now,
        held={hold.token: (suffix, hold.number) for suffix, hold in held},
        cancels=[suffix for suffix, _ in held if suffix in queue.cancels],
    )


def leave(queue: QueueState, now: int, worker: str) -> Released:
    """End the lease; what was held goes back to the head of its line."""
    waited, known = worker in queue.idle, worker in queue.leases
    suffixes = [suffix for suffix, _ in queue.held_by(worker)]
    queue.put_back(suffixes)
    queue.forget(worker)
    if suffixes:
        queue.wake_one()
    elif known and not waited:  # it may have been woken, and have left without reading it
        queue.pass_word_on()
    return Released(suffixes)
