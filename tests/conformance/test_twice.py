"""Every operation sent twice in a row changes nothing more and answers alike.

Each case sets a queue up and gives the operation to send; what the second sending must leave alone is
everything a reader can see: all records, who runs what, and the facts.
"""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeAlias

import pytest

from penstock.engine.job import JobState
from penstock.engine.store import Cancellation, Promotion, Reaping, Released
from support.stores import BURIAL, KEEP, LEASE, Hand, QueueUnderTest, failure, new_job, settlement, suffixes

JOBS = ("a", "b", "c", "later")

Send: TypeAlias = Callable[[], Awaitable[Any]]
Case: TypeAlias = Callable[[QueueUnderTest, Hand], Awaitable[Send]]


async def submit(queue: QueueUnderTest, worker: Hand) -> Send:
    jobs = [new_job("x", unique="k"), new_job("y", unique="k"), new_job("z", delay=70)]
    return lambda: queue.store.submit(queue.name, jobs)


async def join(queue: QueueUnderTest, worker: Hand) -> Send:
    return lambda: queue.store.join(queue.name, worker.name, LEASE, 4)


async def heartbeat(queue: QueueUnderTest, worker: Hand) -> Send:
    await worker.take(2)
    await queue.store.cancel(queue.name, "a")
    return lambda: queue.store.heartbeat(queue.name, worker.name, LEASE)


async def claim(queue: QueueUnderTest, worker: Hand) -> Send:
    return lambda: queue.store.claim(queue.name, worker.name, 1, 2, suspect=True, idle=True)


async def empty_claim(queue: QueueUnderTest, worker: Hand) -> Send:
    await (await queue.worker()).take()
    return lambda: queue.store.claim(queue.name, worker.name, 1, 2, suspect=True, idle=True)


async def _settling(queue: QueueUnderTest, worker: Hand, states: Sequence[JobState]) -> Send:
    jobs = await worker.take(len(states))
    pairs = zip(jobs, states, strict=True)
    settlements = [settlement(claimed, state) for claimed, state in pairs]
    return lambda: queue.store.settle(queue.name, worker.name, settlements)


async def settle_finally(queue: QueueUnderTest, worker: Hand) -> Send:
    return await _settling(queue, worker, (JobState.SUCCEEDED, JobState.DEAD, JobState.EXPIRED))


async def settle_for_now(queue: QueueUnderTest, worker: Hand) -> Send:
    return await _settling(queue, worker, (JobState.SCHEDULED, JobState.READY, JobState.PARKED))


async def settle_failed(queue: QueueUnderTest, worker: Hand) -> Send:
    jobs = await worker.take(3)
    states = (JobState.DEAD, JobState.SCHEDULED, JobState.READY)
    endings = [settlement(job, state, failure=failure()) for job, state in zip(jobs, states, strict=True)]
    return lambda: queue.store.settle(queue.name, worker.name, [*endings, *endings])


async def cancel_final(queue: QueueUnderTest, worker: Hand) -> Send:
    await worker.end(await worker.take_one())
    return lambda: queue.store.cancel(queue.name, "a")


async def nudge(queue: QueueUnderTest, worker: Hand) -> Send:
    return lambda: queue.store.nudge(queue.name)


async def report(queue: QueueUnderTest, worker: Hand) -> Send:
    await worker.take(2)
    return lambda: queue.store.report(queue.name, "process", LEASE)


async def report_in_vain(queue: QueueUnderTest, worker: Hand) -> Send:
    await queue.store.report(queue.name, "another", LEASE)
    return lambda: queue.store.report(queue.name, "process", LEASE)


async def resign(queue: QueueUnderTest, worker: Hand) -> Send:
    await queue.store.report(queue.name, "process", LEASE)
    return lambda: queue.store.resign(queue.name, "process")


ALIKE: list[Case] = [
    submit,
    join,
    heartbeat,
    claim,
    empty_claim,
    settle_finally,
    settle_for_now,
    settle_failed,
    cancel_final,
    nudge,
    report,
    report_in_vain,
    resign,
]


async def cancel_waiting(queue: QueueUnderTest, worker: Hand) -> Send:
    return lambda: queue.store.cancel(queue.name, "a")


async def cancel_scheduled(queue: QueueUnderTest, worker: Hand) -> Send:
    return lambda: queue.store.cancel(queue.name, "later")


async def cancel_running(queue: QueueUnderTest, worker: Hand) -> Send:
    await worker.take(1)
    return lambda: queue.store.cancel(queue.name, "a")


async def return_claim(queue: QueueUnderTest, worker: Hand) -> Send:
    await worker.take(2)
    return lambda: queue.store.return_claim(queue.name, worker.name, worker.number)


async def release(queue: QueueUnderTest, worker: Hand) -> Send:
    held = [(claimed.suffix, claimed.token) for claimed in await worker.take(2)]
    return lambda: queue.store.release(queue.name, worker.name, held)


async def leave(queue: QueueUnderTest, worker: Hand) -> Send:
    await worker.take(2)
    return lambda: queue.store.leave(queue.name, worker.name)


async def promote(queue: QueueUnderTest, worker: Hand) -> Send:
    await queue.advance(60)
    return lambda: queue.store.promote(queue.name)


async def reap(queue: QueueUnderTest, worker: Hand) -> Send:
    await worker.take(2)
    await queue.advance(LEASE)
    return lambda: queue.store.reap(queue.name, max_crashes=1, ending=BURIAL, keep=KEEP, failure=failure())


SPENT: list[tuple[Case, Callable[[QueueUnderTest], Any]]] = [
    (cancel_waiting, lambda queue: Cancellation(JobState.CANCELLED, changed=False)),
    (cancel_scheduled, lambda queue: Cancellation(JobState.CANCELLED, changed=False)),
    (cancel_running, lambda queue: Cancellation(JobState.RUNNING, changed=False)),
    (return_claim, lambda queue: Released([])),
    (release, lambda queue: Released([])),
    (leave, lambda queue: Released([])),
    (promote, lambda queue: Promotion(0, None, queue.now)),
    (reap, lambda queue: Reaping([], [], [], remaining=False)),
]
"""Operations that tell what *this* call did: the second one did nothing, and says so."""


def _name(value: object) -> str:
    return getattr(value, "__name__", "")


async def _everything(queue: QueueUnderTest) -> list[object]:
    """All that can be read of the queue."""
    seen: list[object] = [await queue.store.facts(queue.name), await queue.store.failures(queue.name)]
    for suffix in (*JOBS, "x", "y", "z"):
        seen += [await queue.store.read(queue.name, suffix), await queue.store.look(queue.name, suffix)]
    return seen


async def _set_up(queue: QueueUnderTest) -> Hand:
    await queue.submit("a", "b", "c")
    await queue.submit("later", delay=60)
    return await queue.worker()


@pytest.mark.parametrize("case", ALIKE, ids=_name)
async def test_the_second_answer_is_the_first_one(queue: QueueUnderTest, case: Case) -> None:
    """Repeating after a lost reply changes nothing more and answers as the first time."""
    send = await case(queue, await _set_up(queue))
    first = await send()
    before = await _everything(queue)
    assert await send() == first
    assert await _everything(queue) == before


@pytest.mark.parametrize(("case", "answer"), SPENT, ids=_name)
async def test_the_second_finds_nothing_left_to_do(
    queue: QueueUnderTest, case: Case, answer: Callable[[QueueUnderTest], Any]
) -> None:
    """Where the answer lists what the call did, the repetition lists nothing and changes nothing."""
    send = await case(queue, await _set_up(queue))
    assert await send() != answer(queue)
    before = await _everything(queue)
    assert await send() == answer(queue)
    assert await _everything(queue) == before


@pytest.mark.parametrize("case", [return_claim, release, leave], ids=_name)
async def test_giving_back_twice_lines_jobs_up_once(queue: QueueUnderTest, case: Case) -> None:
    """No repetition makes two of one job."""
    send = await case(queue, await _set_up(queue))
    await send()
    await send()
    heir = await queue.worker()
    assert suffixes(await heir.take()) == ["a", "b", "c"]
    assert await heir.take() == []
