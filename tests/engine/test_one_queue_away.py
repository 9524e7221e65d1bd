"""One queue's server is away, the others' are there: what the worker and the client make of it."""

from collections import Counter
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any, Literal

import pytest
import trio
from trio.testing import MockClock

from penstock.engine import JobContext, JobState, Module, Receipt, Seams, WorkerSettings
from penstock.engine.claimer import Claimer
from penstock.engine.errors import StoreUnavailable
from penstock.engine.events import (
    JobsReleased,
    JobStarted,
    LeaseLost,
    LoopCrashed,
    SettlementRefused,
    WorkerStopped,
)
from penstock.engine.held import Held
from penstock.engine.memory_store import MemoryStore, claiming, submitting
from penstock.engine.shift import Shift
from penstock.engine.store import Claimed, Wake
from support.work import Rig, virtual_clock, working

OUTAGE = 60.0
GIVES_UP = 3.0  # seconds after which the transport says that there was no answer
FRACTION = 0.6  # of a second, in which a job of the other queue has begun and ended
Lost = Literal["calls", "answers"]

module = Module("m")
ran = Counter[str]()


@module.job
async def work(ctx: JobContext, seconds: float = 0.0) -> str:
    """Note that it ran."""
    ran[ctx.id] += 1
    await trio.sleep(seconds)
    return "done"


on_a, on_b = work.using(queue="a"), work.using(queue="b")


class PartlyAway(MemoryStore):
    """Some queues are out of the workers' reach, or of everybody's; a call takes its time to fail."""

    def __init__(self) -> None:
        super().__init__(virtual_clock)
        self.away = set[str]()
        self.lost: Lost = "calls"
        self.for_submitters = False
        self.slow: str | None = None
        """A queue whose server needs a second for each call."""
        self.claims = Counter[str]()

    def go_away(self, *queues: str) -> None:
        """From now on nothing is heard of these; one subscription is lost with any of its servers."""
        self.away.update(queues)
        for queue in queues:
            for boxes in self._queue(queue).mail._workers.values():
                for box in boxes:
                    box._in.close()

    async def _step(self, queue: str, decide: Any, *args: Any, **kwargs: Any) -> Any:
        if queue in self.away and (self.for_submitters or decide is not submitting.submit):
            await trio.sleep(GIVES_UP)
            if self.lost == "answers":
                await super()._step(queue, decide, *args, **kwargs)
            raise StoreUnavailable(f"no answer for {queue}")
        self.claims[queue] += decide is claiming.claim
        if queue == self.slow:
            await trio.sleep(1)
        return await super()._step(queue, decide, *args, **kwargs)

    @asynccontextmanager
    async def _listen(self, worker: str, queues: Sequence[str]) -> AsyncGenerator[AsyncIterator[Wake]]:
        if self.away.intersection(queues):
            await trio.sleep(GIVES_UP)
            raise StoreUnavailable("no answer for one of them")
        async with super()._listen(worker, queues) as wakes:
            yield wakes


async def keep_b_busy(rig: Rig, seconds: float) -> None:
    """Submit a job a second to `b`; each has ended within a fraction of one."""
    until = trio.current_time() + seconds
    while (began := trio.current_time()) < until:
        await rig.client.result(await rig.client.submit(on_b), timeout=30)
        assert trio.current_time() - began < FRACTION, f"at {began:g} s"
        await trio.sleep_until(began + 1)


async def succeed_once(rig: Rig, receipts: Sequence[Receipt]) -> None:
    """Each of these ends well, having run one time."""
    jobs = [await rig.client.wait(receipt.id, 30) for receipt in receipts]
    assert [(job.state, job.crashes) for job in jobs] == [(JobState.SUCCEEDED, 0)] * len(jobs)
    assert {ran[receipt.id] for receipt in receipts} == {1}


@pytest.mark.parametrize("lost", ["calls", "answers"])
async def test_the_other_queue_goes_on_and_nothing_is_lost_or_run_twice(
    autojump_clock: MockClock, lost: Lost
) -> None:
    """A minute without one queue: the other's jobs do not wait, and all is made up for afterwards."""
    store = PartlyAway()
    async with working(module, store) as rig:
        await rig.start_worker(queues=["a", "b"], concurrency=8)
        running = await rig.client.submit_many([on_a.request(seconds=5)] * 6)
        await rig.ears.wait_for(JobStarted, count=6)
        store.lost = lost
        store.go_away("a")
        waiting = await rig.client.submit_many([on_a.request()] * 5)
        await keep_b_busy(rig, OUTAGE)
        store.away.clear()
        await succeed_once(rig, running)
        await succeed_once(rig, waiting)
        await keep_b_busy(rig, 10)
    for trouble in (LeaseLost, LoopCrashed, SettlementRefused, JobsReleased):
        assert rig.ears.of(trouble) == []


async def test_a_full_house_of_the_queue_that_is_away_leaves_room_for_the_other(
    autojump_clock: MockClock,
) -> None:
    """Endings that cannot be settled hold no consumer, however many they are."""
    store = PartlyAway()
    async with working(module, store) as rig:
        await rig.start_worker(queues=["a", "b"], concurrency=2)
        running = await rig.client.submit_many([on_a.request(seconds=0.01)] * 500)
        await rig.ears.wait_for(JobStarted, count=100)  # at full speed, with a prefetch
        store.go_away("a")
        await trio.sleep(1)
        await keep_b_busy(rig, OUTAGE)
        store.away.clear()
        await succeed_once(rig, running)


async def test_a_drain_is_bounded_and_leaves_the_other_queue_in_order(autojump_clock: MockClock) -> None:
    """What `b` had is settled or given back and its lease ended, though nothing is heard of `a` and `c`."""
    store = PartlyAway()
    async with working(module, store) as rig:
        worker = await rig.start_worker(queues=["a", "c", "b"], concurrency=4, grace=2)
        await rig.client.submit_many([on_a.request(seconds=1)] * 2)
        short = await rig.client.submit(on_b, seconds=4)
        long = await rig.client.submit(on_b, seconds=60)
        await rig.ears.wait_for(JobStarted, count=4)
        store.go_away("a", "c")
        await trio.sleep(3)
        began = trio.current_time()
        worker.drain()
        assert (await rig.client.wait(short.id, 5)).state is JobState.SUCCEEDED
        await rig.ears.wait_for(WorkerStopped)
        assert trio.current_time() - began < 17
        left = await store.facts("b")
        assert (left.workers, left.running, left.ready) == (0, 0, 1)
        assert (await rig.client.wait(long.id, 0)).state is JobState.READY


async def test_a_drain_gives_back_what_a_lost_answer_brought(autojump_clock: MockClock) -> None:
    """As soon as its server is back, not at the end of the grace period."""
    store = PartlyAway()
    async with working(module, store) as rig:
        worker = await rig.start_worker(queues=["a", "b"], concurrency=4)
        await rig.client.submit(on_b, seconds=25)
        await rig.ears.wait_for(JobStarted)
        store.lost = "answers"
        store.go_away("a")
        taken = await rig.client.submit_many([on_a.request()] * 3)
        await trio.sleep(10)
        assert len(store._queue("a").running) == 3
        worker.drain()
        await trio.sleep(0.5)
        store.away.clear()
        await rig.start_worker(queues=["a"])
        with trio.fail_after(10):
            await succeed_once(rig, taken)


async def test_a_drain_gives_back_at_once_what_has_not_started(autojump_clock: MockClock) -> None:
    """The other queue's prefetched jobs do not wait for a claim that is not answered."""
    store = PartlyAway()
    async with working(module, store) as rig:
        worker = await rig.start_worker(queues=["a", "b"], concurrency=2)
        receipts = await rig.client.submit_many([on_b.request(seconds=0.01)] * 400)
        await rig.ears.wait_for(JobStarted, count=100)  # at full speed, with a prefetch
        store.go_away("a")
        await trio.sleep(0.5)
        worker.drain()
        started = len(rig.ears.of(JobStarted))
        assert started < len(receipts)
        [released] = await rig.ears.wait_for(JobsReleased)
        assert released.reason == "drain"
        await rig.ears.wait_for(WorkerStopped)
        assert len(rig.ears.of(JobStarted)) == started


async def test_a_queue_named_twice_is_one_queue(autojump_clock: MockClock) -> None:
    """Claims are numbered by queue: two that number alike would be given the same jobs."""
    async with working(module) as rig:
        receipts = await rig.client.submit_many([on_a.request(seconds=1)] * 2)
        await rig.start_worker(queues=["a", "a"], concurrency=4)
        await succeed_once(rig, receipts)


async def test_a_worker_starts_on_the_queue_that_answers(autojump_clock: MockClock) -> None:
    """It does not wait for the other, and takes it up when it answers."""
    store = PartlyAway()
    store.go_away("a")
    async with working(module, store) as rig:
        waiting = await rig.client.submit_many([on_a.request()] * 3)
        with trio.fail_after(10):
            await rig.start_worker(queues=["a", "b"])
        await keep_b_busy(rig, OUTAGE)
        store.away.clear()
        await succeed_once(rig, waiting)
    assert rig.ears.of(LeaseLost) == []


async def test_a_slow_server_hears_that_somebody_waits(autojump_clock: MockClock) -> None:
    """Each of its answers is late, yet its jobs are heard of, and it is not asked without end."""
    store = PartlyAway()
    store.slow = "a"
    async with working(module, store) as rig:
        await rig.start_worker(queues=["a", "b"])
        await trio.sleep(3)
        for number in range(10):
            await rig.client.submit(on_a)
            await rig.ears.wait_for(JobStarted, count=number + 1, within=2.5)
            await trio.sleep(6.3)
        await keep_b_busy(rig, 10)
    assert store.claims["a"] < 50


def shift_of_one() -> Shift:
    """A shift on `a` and `b` with one consumer and both leases."""
    shift = Shift(PartlyAway(), ["a", "b"], "w", WorkerSettings(concurrency=1), Seams())
    shift.beaten.update(a=0.0, b=0.0)
    return shift


def held(queue: str, token: int, crashes: int = 0) -> Held:
    """A job as a claim brings it."""
    return Held(queue, Claimed(str(token), token, b"1 ready 0 %d " % crashes), 1, 0, 0.0)


async def test_a_queue_that_does_not_settle_is_not_claimed_from() -> None:
    """What it owes is bounded, and is its own: the others go on until they owe as much."""
    shift = shift_of_one()
    claimers = [Claimer(shift, queue) for queue in "ab"]
    assert [claimer.free for claimer in claimers] == [True, True]
    for queue, free, all_slow in (("a", [False, True], False), ("b", [False, False], True)):
        for token in range(shift.buffer.capacity + 1):
            shift.settlers[queue].give_back(held(queue, token), "drain")
        assert [claimer.free for claimer in claimers] == free
        assert shift.settles_too_slowly is all_slow


async def test_a_late_answer_is_given_back_where_its_place_is_taken(autojump_clock: MockClock) -> None:
    """The buffer stays bounded, and one suspect at a time is held to be run."""
    shift = shift_of_one()
    shift.take(held("a", 1, crashes=1))
    shift.take(held("b", 1, crashes=1))
    assert [len(shift.settlers[queue]) for queue in "ab"] == [0, 1]
    for token in range(2, 2 + shift.buffer.capacity):
        shift.take(held("b", token))
    assert len(shift.buffer) == shift.buffer.capacity
    assert [len(shift.settlers[queue]) for queue in "ab"] == [0, 2]


@pytest.mark.parametrize(
    ("away", "sent", "stored", "seconds"),
    [
        ("a", "aaab", "b", GIVES_UP),  # the other queue's are stored, and the first is asked one time
        ("ac", "abcd", "bd", 2 * GIVES_UP),  # one here and there
        ("ac", "acbd", "", 2 * GIVES_UP),  # two in a row: the store is away
        ("abcd", "abcd", "", 2 * GIVES_UP),
    ],
)
async def test_a_batch_is_taken_by_the_queues_that_answer(
    autojump_clock: MockClock, away: str, sent: str, stored: str, seconds: float
) -> None:
    """Nobody's requests fail for another queue, nor waits a batch for each of its steps."""
    store = PartlyAway()
    store.for_submitters = True
    store.go_away(*away)
    requests = [work.using(queue=queue).request() for queue in sent for _ in range(500)]
    async with working(module, store) as rig:
        began = trio.current_time()
        outcomes = await rig.client.submit_each(requests)
        assert trio.current_time() - began == pytest.approx(seconds)
    failed = {type(outcome) for outcome in outcomes if not isinstance(outcome, Receipt)}
    assert failed == {StoreUnavailable}
    assert [outcome.queue for outcome in outcomes if isinstance(outcome, Receipt)] == [
        queue for queue in stored for _ in range(500)
    ]
