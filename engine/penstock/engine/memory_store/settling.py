"""Ending attempts."""

from collections.abc import Sequence

from penstock.engine.job import JobState
from penstock.engine.memory_store import failing
from penstock.engine.memory_store.state import QueueState
from penstock.engine.store import Settlement, Verdict


def settle(queue: QueueState, now: int, worker: str, settlements: Sequence[Settlement]) -> list[Verdict]:
    """End attempts; wake one worker if there is work now, or will be earlier than it thinks."""
    earliest, depth = queue.scheduled.next_due(), len(queue.ready)
    verdicts: list[Verdict] = [_settle_one(queue, now, worker, one) for one in settlements]
    failing.make_room(queue)
    if len(queue.ready) > depth or queue.scheduled.next_due() != earliest:
        queue.wake_one()
    return verdicts


def _settle_one(queue: QueueState, now: int, worker: str, settlement: Settlement) -> Verdict:
    if queue.holds(worker, settlement.suffix, settlement.token):
        _apply(queue, now, settlement)
        return "settled"
    record = queue.jobs.get(settlement.suffix)
    earlier = record is not None and record.header.token == settlement.token
    return "settled" if earlier else "refused"


def _apply(queue: QueueState, now: int, settlement: Settlement) -> None:
    suffix, state, attempt = settlement.suffix, settlement.state, settlement.attempt
    del queue.running[suffix]
    queue.cancels.discard(suffix)
    failing.count(queue, now, settlement.failure, suffix)
    changes = {"state": state, "attempt": attempt, "token": settlement.token} | _new_due(now, settlement)
    queue.jobs.rewrite(suffix, ending=settlement.ending, **changes)
    if state.final:
        queue.end(suffix, state, now, settlement.delay)
        return
    if state is not JobState.PARKED:  # a parked job has had no attempt
        queue.hand_on(suffix, now)
    if state is JobState.READY:
        queue.make_ready(suffix)
    else:
        queue.scheduled.put(suffix, now + settlement.delay)


def _new_due(now: int, settlement: Settlement) -> dict[str, object]:
    match settlement.state:
        case JobState.READY:
            return {"due": now}
        case JobState.SCHEDULED:
            return {"due": now + settlement.delay}
        case _:  # a parked job has been due all along: its age goes on counting
            return {}
