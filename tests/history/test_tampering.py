"""A true history, tampered with: what a worker does wrong is found, what nobody heard of is no accusation."""

import random
from collections.abc import Callable

import msgspec
import pytest
import trio
from trio.testing import MockClock

from benchmarks.history import Record, Recorder, RecordingStore, check
from benchmarks.history.records import (
    Cancelled,
    Claimed,
    Crashed,
    Finished,
    GivenBack,
    Joined,
    LeaseLost,
    Reaped,
    Settle,
    Settled,
    Started,
    Submit,
    Submitted,
)
from history.day import play
from penstock.engine import Client, JobContext, Module, Observers, Registry, Seams, Worker
from penstock.engine.memory_store import MemoryStore
from penstock.engine.names import split_job_id
from support.stores import memory_harness
from support.work import virtual_clock

History = list[Record]


async def true_history() -> History:
    """Two jobs, run by one worker one after the other."""
    module, history = Module("m"), History()

    @module.job
    async def work(ctx: JobContext) -> None:
        await trio.sleep(1)

    store, recorder = MemoryStore(virtual_clock), Recorder("one", history.append)
    recorded = RecordingStore(store, recorder)
    worker = Worker(recorded, Registry([module]), seams=Seams(Observers(recorder.observe)))
    async with Client(recorded) as client, trio.open_nursery() as nursery:
        receipts = await client.submit_many([work.request(), work.request()])
        await nursery.start(worker.run)
        for receipt in receipts:
            await client.wait(receipt.id)
        worker.drain()
    for receipt in receipts:
        queue, suffix = split_job_id(receipt.id)
        await recorder.final(store, queue, [suffix])
    return history


def without(*kinds: type[Record]) -> Callable[[History], History]:
    """All but the records of some kinds."""
    return lambda history: [record for record in history if not isinstance(record, kinds)]


def started_twice(history: History) -> History:
    """Each start is there again."""
    return [again for record in history for again in ([record] * (1 + isinstance(record, Started)))]


def started_elsewhere(history: History) -> History:
    """Each start is another worker's, who claimed nothing."""
    return [
        msgspec.structs.replace(record, worker="stranger") if isinstance(record, Started) else record
        for record in history
    ]


def finished_late(history: History) -> History:
    """Handlers go on when their jobs are settled."""
    late = max(record.at for record in history)
    moved = [
        msgspec.structs.replace(record, at=late) if isinstance(record, Finished) else record
        for record in history
    ]
    return sorted(moved, key=lambda record: record.at)


def run_by_two(history: History) -> History:
    """Another worker claims under a later token and starts what runs already."""
    tampered = History()
    for record in history:
        tampered.append(record)
        if isinstance(record, Claimed):
            jobs = [msgspec.structs.replace(job, token=job.token + 100) for job in record.jobs]
            tampered.append(msgspec.structs.replace(record, worker="second", jobs=jobs))
        if isinstance(record, Started):
            tampered.append(msgspec.structs.replace(record, worker="second"))
    return tampered


def tried_too_often(history: History) -> History:
    """The policy allows no attempt."""
    return [
        msgspec.structs.replace(record, most=0) if isinstance(record, Started) else record
        for record in history
    ]


@pytest.mark.parametrize(
    ("tamper", "rule"),
    [
        (without(Submit, Submitted), "unknown id"),
        (without(Settle, Settled), "ends once"),
        (without(Claimed), "start without claim"),
        (without(Claimed), "settled without claim"),
        (started_twice, "one start a claim"),
        (started_elsewhere, "start without claim"),
        (finished_late, "settled at the end"),
        (run_by_two, "one at a time"),
        (run_by_two, "one holder"),
        (tried_too_often, "attempts"),
    ],
)
async def test_what_a_worker_does_wrong_is_found(
    autojump_clock: MockClock, tamper: Callable[[History], History], rule: str
) -> None:
    """Each rule that no fault of the store breaks is broken by a lie."""
    history = await true_history()
    assert check(history) == []
    violations = check(tamper(history))
    assert rule in {violation.rule for violation in violations}, violations


@pytest.mark.parametrize("seed", range(20))
async def test_answers_that_nobody_heard_are_no_accusation(seed: int) -> None:
    """A killed process takes answers with it: the checker concludes less then, never more."""
    rng = random.Random(seed)
    async with memory_harness() as harness:
        history = await play(harness)
    answers = Submitted | Settled | GivenBack | Cancelled | Reaped
    kept = [record for record in history if not (isinstance(record, answers) and rng.random() < 0.3)]
    assert len(kept) < len(history)
    assert check(kept) == []


async def test_a_run_that_a_crash_ended_may_be_followed_by_another(autojump_clock: MockClock) -> None:
    """The harness tells who was killed; from then on nobody runs what the victim ran."""
    history = run_by_two(await true_history())
    crash = Crashed(by="harness", at=0, victim="one")
    told = History()
    for record in history:
        if isinstance(record, Started) and record.worker == "second":
            told.append(msgspec.structs.replace(crash, at=record.at))
        told.append(record)
    rules = {violation.rule for violation in check(told)}
    assert "one at a time" not in rules
    assert "one holder" in rules  # but the lease was not revoked


@pytest.mark.parametrize(("again", "broken"), [(False, {"settled after revocation"}), (True, set[str]())])
async def test_a_revoked_worker_holds_nothing_unless_it_has_joined_again(
    autojump_clock: MockClock, again: bool, broken: set[str]
) -> None:
    """What it claims and settles afterwards is a fault; under a lease begun anew it is not."""
    history = await true_history()
    [joined] = [record for record in history if isinstance(record, Joined)]
    at = joined.at - 1 if again else joined.at
    revoked = LeaseLost(by="one", at=at, queue=joined.queue, worker=joined.worker)
    assert {violation.rule for violation in check([revoked, *history])} == broken
