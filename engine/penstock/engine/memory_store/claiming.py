"""Taking jobs and giving them back unworked."""

from collections.abc import Sequence

from penstock.engine.memory_store.state import Hold, QueueState
from penstock.engine.store import Claim, Claimed, Handed, Released, Wake


def claim(
    queue: QueueState,
    now: int,
    worker: str,
    number: int,
    count: int,
    *,
    suspect: bool,
    idle: bool,
    handed: bool,
) -> Claim | None:
    """Take jobs under a new number; then tell what is held under it, which is all that an old one does."""
    if not queue.is_live(worker, now):
        return None
    if number > queue.numbers.get(worker, 0):
        queue.numbers[worker] = number
        taken = queue.ready.take(count, suspect=suspect)
        for suffix in taken:
            queue.running[suffix] = Hold(worker, queue.new_token(), number, now)
        _pass_word(queue, worker, found=bool(taken), idle=idle, handed=handed)
    jobs = [
        Claimed(suffix, hold.token, queue.jobs[suffix].encode())
        for suffix, hold in queue.held_by(worker)
        if hold.number == number
    ]
    return Claim(jobs, now, queue.scheduled.next_due(), more=len(queue.ready) > 0)


def _pass_word(queue: QueueState, worker: str, *, found: bool, idle: bool, handed: bool) -> None:
    """Who finds work is idle no more; who leaves work behind wakes somebody else for it.

    One that found nothing wakes nobody: while only suspects wait, workers that may not take one would
    wake each other without end.
    """
    if found or idle:
        queue.idle.pop(worker, None)  # registered anew, it is the last in line
    if found:
        if len(queue.ready) > 0:
            queue.wake_one()
    elif idle:
        queue.idle[worker] = handed


def hand_over(queue: QueueState, now: int, suffix: str) -> bool:
    """Have the worker that has been idle longest claim a job that is in no line; False if none does."""
    while (worker := next(iter(queue.idle), None)) is not None and queue.idle[worker]:
        del queue.idle[worker]
        if queue.is_live(worker, now) and queue.mail.listens(worker):
            number = queue.numbers[worker] = queue.numbers.get(worker, 0) + 1
            hold = queue.running[suffix] = Hold(worker, queue.new_token(), number, now)
            job = Claimed(suffix, hold.token, queue.jobs[suffix].encode())
            queue.mail.tell(worker, Wake(queue.name, handed=Handed(job, number, now)))
            return True
    return False


def nudge(queue: QueueState, now: int) -> None:
    """Pass word on from a worker that has no use for it."""
    queue.pass_word_on()


def return_claim(queue: QueueState, now: int, worker: str, number: int) -> Released:
    """Give back what one claim took and use its number up, also where the claim never arrived."""
    if worker in queue.leases:
        queue.numbers[worker] = max(number, queue.numbers.get(worker, 0))
    return _put_back(queue, [suffix for suffix, hold in queue.held_by(worker) if hold.number == number])


def release(queue: QueueState, now: int, worker: str, held: Sequence[tuple[str, int]]) -> Released:
    """Give back what is held under these tokens; others' jobs stay where they are."""
    own = {suffix: token for suffix, token in held if queue.holds(worker, suffix, token)}
    return _put_back(queue, sorted(own, key=own.__getitem__))


def _put_back(queue: QueueState, suffixes: list[str]) -> Released:
    queue.put_back(suffixes)
    if suffixes:
        queue.wake_one()
    return Released(suffixes)
