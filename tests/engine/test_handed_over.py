"""A worker that waits is handed a job with the wake-up: no claim in between, and none the less sure."""

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, aclosing, asynccontextmanager
from typing import Any

import pytest
import trio
from trio.testing import MockClock

from penstock.engine import Job, JobContext, JobState, Module
from penstock.engine.errors import StoreUnavailable
from penstock.engine.events import JobFinished, JobsReleased, JobStarted
from penstock.engine.fetcher import MAX_IDLE
from penstock.engine.memory_store import MemoryStore
from penstock.engine.store import Claim, Wake
from support.work import Rig, virtual_clock, working

SOON = 0.05
"""Seconds: sooner than anybody looks unasked."""


class Counting(MemoryStore):
    """Counts claims; wake-ups pass through `tamper`, which may hold them up or lose them."""

    def __init__(self) -> None:
        super().__init__(virtual_clock)
        self.claims = 0
        self.tamper: Callable[[Wake], Wake | None] = lambda wake: wake
        self.cut = False
        """Whether the next answer is lost."""
        self.late = 0.0
        """Seconds after which answers to claims arrive."""

    async def claim(self, *args: Any, **kwargs: Any) -> Claim | None:
        self.claims += 1
        answer = await super().claim(*args, **kwargs)
        await trio.sleep(self.late)
        if self.cut:
            self.cut = False
            raise StoreUnavailable("the answer was lost")
        return answer

    def listen(self, worker: str, queues: Sequence[str]) -> AbstractAsyncContextManager[AsyncIterator[Wake]]:
        return self._tampered(worker, queues)

    @asynccontextmanager
    async def _tampered(self, worker: str, queues: Sequence[str]) -> AsyncGenerator[AsyncIterator[Wake]]:
        async with super().listen(worker, queues) as wakes, aclosing(self._passed_on(wakes)) as passed_on:
            yield passed_on

    async def _passed_on(self, wakes: AsyncIterator[Wake]) -> AsyncGenerator[Wake]:
        async for wake in wakes:
            if (kept := self.tamper(wake)) is not None:
                yield kept


module = Module("m")


@module.job
async def note(ctx: JobContext) -> None: ...


@module.job
async def slow(ctx: JobContext) -> None:
    await trio.sleep(30)


@module.job(queue="a", timeout=300)
async def long(ctx: JobContext) -> None:
    await trio.sleep(200)


@module.job(queue="b", timeout=300)
async def short(ctx: JobContext) -> None: ...


async def ended(rig: Rig, job_id: str, within: float) -> Job:
    """How a job ended that must do so in time."""
    return await rig.client.wait(job_id, within)


async def test_a_job_starts_without_a_claim(autojump_clock: MockClock) -> None:
    """It comes claimed; afterwards the worker leaves word anew, one claim a job."""
    store = Counting()
    async with working(module, store) as rig:
        await rig.start_worker(queues=["default"])
        await trio.sleep(1)
        started = list[int]()
        for _ in range(3):
            before = store.claims
            receipt = await rig.client.submit(note)
            await rig.ears.wait_for(JobStarted, count=len(started) + 1, within=SOON)
            started.append(store.claims - before)
            assert (await ended(rig, receipt.id, SOON)).state is JobState.SUCCEEDED
            await trio.sleep(0.1)
            assert store.claims - before == 1

    assert started == [0, 0, 0]


async def test_what_was_lost_on_the_way_comes_with_the_next_look(autojump_clock: MockClock) -> None:
    """The server counts it as held here, so nobody else may run it; nobody has to."""
    store, lost = Counting(), list[Wake]()

    def lose(wake: Wake) -> None:
        lost.append(wake)

    async with working(module, store) as rig:
        await rig.start_worker(queues=["default"])
        await rig.start_worker(queues=["default"])
        await trio.sleep(1)
        store.tamper = lose
        receipt = await rig.client.submit(note)
        job = await ended(rig, receipt.id, MAX_IDLE + SOON)

    assert [wake.handed is not None for wake in lost] == [True]
    assert (job.state, job.attempt) == (JobState.SUCCEEDED, 1)
    assert len(rig.ears.of(JobStarted)) == 1


async def test_one_that_overtakes_the_answer_to_a_claim_waits_for_it(autojump_clock: MockClock) -> None:
    """The claim has left word, its empty answer is still on the way when the job comes: it runs once."""
    store = Counting()
    store.late = 0.1
    async with working(module, store) as rig:
        await rig.start_worker(queues=["default"])
        await trio.sleep(1)
        for _ in range(5):
            receipts = [await rig.client.submit(note)]
            await trio.sleep(0.05)  # the claim that leaves word anew is under way
            receipts.append(await rig.client.submit(note))
            for receipt in receipts:
                assert (await ended(rig, receipt.id, 1)).attempt == 1

    assert len(rig.ears.of(JobStarted)) == 10


async def test_one_that_comes_while_an_answer_is_lost_runs_once(autojump_clock: MockClock) -> None:
    """The claim that left word is sent again under its own number, not under that of the job in hand."""
    store = Counting()
    async with working(module, store) as rig:
        await rig.start_worker(queues=["default"])
        await trio.sleep(1)
        store.late, store.cut = 0.1, True
        await rig.client.submit(note)
        await trio.sleep(0.05)  # the claim that leaves word anew is under way
        receipt = await rig.client.submit(slow)
        assert (await ended(rig, receipt.id, 60)).state is JobState.SUCCEEDED

    assert len(rig.ears.of(JobStarted)) == 2


async def test_one_that_also_came_with_a_claim_runs_once(autojump_clock: MockClock) -> None:
    """The wake-up is late: meanwhile the worker has asked, and been told of the same job."""
    store, late = Counting(), list[Wake]()

    def keep(wake: Wake) -> Wake | None:
        if late:
            return wake
        late.append(wake)
        return None

    async with working(module, store) as rig:
        await rig.start_worker(queues=["default"])
        await trio.sleep(1)
        store.tamper = keep
        receipt = await rig.client.submit(note)
        await ended(rig, receipt.id, MAX_IDLE + SOON)
        mail = store._queue("default").mail
        [worker] = mail._workers
        mail.tell(worker, late[0])
        another = await rig.client.submit(note)
        assert (await ended(rig, another.id, SOON)).state is JobState.SUCCEEDED

    assert len(rig.ears.of(JobStarted)) == 2


async def test_a_worker_that_did_not_know_the_last_job_is_handed_none(autojump_clock: MockClock) -> None:
    """It would park one after the other while somebody waits who knows them."""
    store, other = Counting(), Module("other")

    @other.job
    async def known(ctx: JobContext) -> None: ...

    async with working(module, store) as rig:
        await rig.start_worker(queues=["default"])
        await trio.sleep(1)
        handed = list[Wake]()

        def look(wake: Wake) -> Wake:
            handed.append(wake)
            return wake

        store.tamper = look
        for _ in range(2):
            await rig.client.submit(known)
            await trio.sleep(0.2)

    first, *others = (wake.handed is not None for wake in handed)
    assert first
    assert others  # of parking one, too
    assert not any(others)


async def test_what_comes_for_two_queues_at_once_does_not_wait_behind_the_other(
    autojump_clock: MockClock,
) -> None:
    """A worker with one slot had left word with both: what it cannot start goes back, and others run it."""
    store = Counting()
    async with working(module, store) as rig:
        await rig.start_worker(queues=["a", "b"], concurrency=1)
        await trio.sleep(1)
        first = await rig.client.submit(long)
        second = await rig.client.submit(short)
        await rig.ears.wait_for(JobsReleased, where=lambda event: event.reason == "no_room", within=SOON)
        await rig.start_worker(queues=["b"], concurrency=1)
        assert (await ended(rig, second.id, 1)).state is JobState.SUCCEEDED
        assert (await ended(rig, first.id, 300)).state is JobState.SUCCEEDED
        third = await rig.client.submit(long)  # the first worker hears again
        await rig.ears.wait_for(JobStarted, where=lambda event: event.attempt.id == third.id, within=SOON)


@pytest.mark.parametrize("gracefully", [True, False])
async def test_one_that_comes_while_the_worker_ends_goes_to_another(
    autojump_clock: MockClock, gracefully: bool
) -> None:
    """Whether it drains or stops: the job waits for the next worker, no attempt consumed."""
    store = Counting()
    async with working(module, store) as rig:
        worker = await rig.start_worker(queues=["default"], grace=10)
        await trio.sleep(1)

        def end(wake: Wake) -> Wake:
            if gracefully:
                worker.drain()
            else:
                worker.stop()
            return wake

        store.tamper = end
        receipt = await rig.client.submit(note)
        await trio.sleep(1)
        store.tamper = lambda wake: wake
        await rig.start_worker(queues=["default"])
        job = await ended(rig, receipt.id, 10)

    assert (job.state, job.attempt, job.crashes) == (JobState.SUCCEEDED, 1, 0)
    assert len(rig.ears.of(JobFinished)) == 1
