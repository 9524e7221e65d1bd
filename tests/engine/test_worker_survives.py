"""Handlers and telemetry that try to break the worker they run in; it reports them and goes on."""

import asyncio
import threading
from collections.abc import Awaitable, Callable, Generator
from contextlib import AbstractContextManager, contextmanager
from typing import Literal, TypeAlias

import pytest
import trio
from trio.testing import MockClock

from penstock.engine import Backoff, Dead, JobContext, JobState, Module, Observers, Retry, Seams
from penstock.engine.attempt import Attempt
from penstock.engine.events import (
    JobFinished,
    JobStarted,
    LeaseLost,
    LoopCrashed,
    ObserverFailed,
    WorkerStarted,
    WorkerStopped,
)
from penstock.engine.limits import MAX_DELAY
from penstock.engine.memory_store import MemoryStore, moving
from penstock.engine.outcome import outcome_name
from support.work import Rig, virtual_clock, working

Sleep: TypeAlias = Callable[[], Awaitable[None]]
AT_ONCE = Backoff(base=0.1, jitter=False)


async def interrupted_uncleanly() -> None:
    """Wait for ever in a nursery of which one child is cancelled well and the other fails in its cleanup."""

    async def child() -> None:
        try:
            await trio.sleep_forever()
        finally:
            raise ConnectionError("cleanup failed")

    async with trio.open_nursery() as nursery:
        nursery.start_soon(child)
        nursery.start_soon(trio.sleep_forever)


async def turned_into_an_error() -> None:
    """Wait for ever and tell a cancellation as an error of one's own."""
    try:
        await trio.sleep_forever()
    except trio.Cancelled as cancelled:
        raise RuntimeError("interrupted") from cancelled


INTERRUPTED = pytest.mark.parametrize("sleep", [interrupted_uncleanly, turned_into_an_error])


def never_harmed(rig: Rig) -> bool:
    """Whether the one worker of this rig still is the one it was, and none of its loops has failed."""
    stopped, crashed = rig.ears.of(WorkerStopped), rig.ears.of(LoopCrashed)
    return len(rig.ears.of(WorkerStarted)) == 1 and not stopped and not crashed


async def test_a_cleanup_that_fails_while_a_timeout_cancels_ends_the_attempt_only(
    autojump_clock: MockClock,
) -> None:
    """A group of a cancellation and an error is a timeout like any other: retried, then a dead letter."""
    module, ran = Module("m"), 0

    @module.job(timeout=1, retries=1, backoff=AT_ONCE)
    async def hopeless(ctx: JobContext) -> None:
        nonlocal ran
        ran += 1
        await interrupted_uncleanly()

    async with working(module) as rig:
        await rig.start_worker(concurrency=1)
        job = await rig.client.wait((await rig.client.submit(hopeless)).id, 20)
        assert never_harmed(rig)

    assert (job.state, job.attempt, ran) == (JobState.DEAD, 2, 2)
    assert job.error is not None
    assert job.error.type == "TimeoutError"


@INTERRUPTED
async def test_a_cancelled_job_ends_cancelled_whatever_its_handler_makes_of_it(
    autojump_clock: MockClock, sleep: Sleep
) -> None:
    """Somebody asked for it: an error out of the cancellation is no reason to run the job again."""
    module, ran = Module("m"), 0

    @module.job(retries=3)
    async def endless(ctx: JobContext) -> None:
        nonlocal ran
        ran += 1
        await sleep()

    async with working(module) as rig:
        await rig.start_worker(concurrency=1)
        receipt = await rig.client.submit(endless)
        await rig.ears.wait_for(JobStarted)
        await rig.client.cancel(receipt.id)
        job = await rig.client.wait(receipt.id, 600)
        assert never_harmed(rig)

    assert (job.state, ran) == (JobState.CANCELLED, 1)


@INTERRUPTED
async def test_a_drained_job_goes_back_unharmed_whatever_its_handler_makes_of_it(
    autojump_clock: MockClock, sleep: Sleep
) -> None:
    """Being interrupted by a deployment costs no attempt, also where the handler tells it as an error."""
    module = Module("m")

    @module.job(retries=0)
    async def endless(ctx: JobContext) -> None:
        await sleep()

    async with working(module) as rig:
        worker = await rig.start_worker(concurrency=1, grace=1)
        receipt = await rig.client.submit(endless)
        await rig.ears.wait_for(JobStarted)
        worker.drain()
        await rig.ears.wait_for(WorkerStopped)
        job = await rig.client.get(receipt.id)

    assert job is not None
    assert (job.state, job.attempt) == (JobState.READY, 0)


@INTERRUPTED
async def test_a_lost_lease_and_a_handler_that_minds_leave_a_worker_under_a_new_id(
    autojump_clock: MockClock, sleep: Sleep
) -> None:
    """What a handler raises while its lease is taken away ends neither the worker nor the job."""
    module = Module("m")

    @module.job(retries=0)
    async def work(ctx: JobContext) -> str:
        if len(rig.ears.of(JobStarted)) == 1:
            await sleep()
        return ctx.worker

    store = MemoryStore(virtual_clock)
    async with working(module, store) as rig:
        await rig.start_worker(concurrency=1)
        receipt = await rig.client.submit(work)
        [first] = await rig.ears.wait_for(JobStarted)
        later = virtual_clock() + 1_000_000  # as a reaper does that saw the lease expire
        moving.reap(store._queue("default"), later, max_crashes=9, ending=b"", keep=1000, limit=500)
        await rig.ears.wait_for(LeaseLost)
        job = await rig.client.wait(receipt.id, 60)

    assert (job.state, job.attempt, job.crashes) == (JobState.SUCCEEDED, 1, 1)
    assert job.result != first.attempt.worker
    assert not rig.ears.of(LoopCrashed)


@pytest.mark.parametrize("kind", [FileNotFoundError, Retry, Dead])
async def test_an_error_whose_text_is_no_unicode_is_kept_escaped(
    autojump_clock: MockClock, kind: type[Exception]
) -> None:
    """Half a surrogate pair, as in a file name that is no UTF-8, stands in the record as Python writes it."""
    module = Module("m")

    @module.job(retries=0)
    async def fail(ctx: JobContext) -> None:
        raise kind("no file \udcff.txt")

    async with working(module) as rig:
        await rig.start_worker(concurrency=1)
        job = await rig.client.wait((await rig.client.submit(fail)).id, 10)
        assert never_harmed(rig)

    assert job.state is JobState.DEAD
    assert job.error is not None
    assert job.error.message == r"no file \udcff.txt"


@pytest.mark.parametrize("delay", [float("inf"), 1e15, 1_795_236_531_673])
async def test_a_retry_asked_for_beyond_all_bounds_comes_at_the_bound(
    autojump_clock: MockClock, delay: float
) -> None:
    """A point in time taken for a delay, or infinity: the job waits the longest there is and can be read."""
    module = Module("m")

    @module.job(retries=1)
    async def much_later(ctx: JobContext) -> None:
        raise Retry(delay=delay)

    async with working(module) as rig:
        await rig.start_worker(concurrency=1)
        receipt = await rig.client.submit(much_later)
        await rig.ears.wait_for(JobFinished)
        await trio.sleep(1)
        facts = await rig.store.facts("default")
        job = await rig.client.get(receipt.id)
        assert never_harmed(rig)

    assert job is not None
    assert (job.state, job.attempt, facts.scheduled) == (JobState.SCHEDULED, 1, 1)
    assert facts.next_due is not None
    assert (facts.next_due - facts.now) / 1000 == pytest.approx(MAX_DELAY, abs=2)


@pytest.mark.parametrize("delay", [float("nan"), float("-inf"), -1.0])
async def test_a_retry_asked_for_at_no_time_comes_at_once(autojump_clock: MockClock, delay: float) -> None:
    """What is not later than now is now."""
    module = Module("m")

    @module.job(retries=1)
    async def again(ctx: JobContext) -> int:
        if ctx.attempt == 1:
            raise Retry(delay=delay)
        return ctx.attempt

    async with working(module) as rig:
        await rig.start_worker(concurrency=1)
        assert await rig.client.result(await rig.client.submit(again), 10) == 2
        assert never_harmed(rig)


class Unusual(BaseException):
    """An exception that is none of Python's."""


@pytest.mark.parametrize(
    "error", [asyncio.CancelledError, GeneratorExit, SystemExit, Unusual], ids=lambda kind: kind.__name__
)
async def test_an_exception_that_is_no_error_elsewhere_is_one_in_a_handler(
    autojump_clock: MockClock, error: type[BaseException]
) -> None:
    """What `except Exception` lets pass fails the attempt: alone or beside others, never the worker."""
    module = Module("m")

    @module.job(retries=1, backoff=AT_ONCE)
    async def fail(ctx: JobContext) -> None:
        if ctx.attempt == 1:
            raise BaseExceptionGroup("two", [error("not the worker's"), ValueError()])
        raise error("not the worker's")

    async with working(module) as rig:
        await rig.start_worker(concurrency=1)
        job = await rig.client.wait((await rig.client.submit(fail)).id, 10)
        assert never_harmed(rig)

    assert (job.state, job.attempt) == (JobState.DEAD, 2)
    assert job.error is not None
    assert job.error.type.rpartition(".")[2] == error.__name__


Moment: TypeAlias = Literal["call", "enter", "exit"]


@pytest.mark.parametrize("moment", ["call", "enter", "exit"])
async def test_a_scope_around_attempts_that_raises_is_told_of_and_the_outcome_stands(
    autojump_clock: MockClock, moment: Moment
) -> None:
    """Broken telemetry costs telemetry: handlers run, once, and what they return or raise is what counts."""
    module, ran = Module("m"), list[str]()

    @module.job(retries=0)
    async def well(ctx: JobContext) -> str:
        ran.append("well")
        return "done"

    @module.job(retries=0)
    async def badly(ctx: JobContext) -> None:
        ran.append("badly")
        raise ValueError("its own")

    @contextmanager
    def scope() -> Generator[None]:
        if moment == "enter":
            raise KeyError(moment)
        try:
            yield
        finally:
            raise KeyError(moment)

    def around(attempt: Attempt) -> AbstractContextManager[None]:
        if moment == "call":
            raise KeyError(moment)
        return scope()

    async with working(module) as rig:
        await rig.start_worker(seams=Seams(Observers(rig.ears), around_attempt=around), concurrency=1)
        good = await rig.client.wait((await rig.client.submit(well)).id, 10)
        bad = await rig.client.wait((await rig.client.submit(badly)).id, 10)
        assert never_harmed(rig)

    assert ran == ["well", "badly"]
    assert (good.state, good.result) == (JobState.SUCCEEDED, "done")
    assert bad.state is JobState.DEAD
    assert bad.error is not None
    assert (bad.error.type, bad.error.message) == ("ValueError", "its own")
    failures = rig.ears.of(ObserverFailed)
    assert [failure.observer for failure in failures] == ["around_attempt"] * 2
    assert [failure.error.args for failure in failures] == [(moment,)] * 2
    finished = [event.attempt.outcome for event in rig.ears.of(JobFinished)]
    assert [outcome and outcome_name(outcome) for outcome in finished] == ["succeeded", "dead"]


async def test_threads_that_overran_hold_up_nobody() -> None:
    """A `def` job that outlives its timeout keeps its thread, not the place of the next one.
    (Real time: threads and the virtual clock do not mix.)"""
    module, release = Module("m"), threading.Event()

    @module.job(timeout=0.05, retries=0)
    def hung(ctx: JobContext) -> None:
        release.wait(60)

    @module.job(timeout=30, retries=0)
    def fine(ctx: JobContext) -> str:
        return "called"

    try:
        async with working(module, MemoryStore()) as rig:
            await rig.start_worker(concurrency=2)
            for receipt in await rig.client.submit_many([hung.request() for _ in range(5)]):
                assert (await rig.client.wait(receipt.id, 20)).state is JobState.DEAD
            assert await rig.client.result(await rig.client.submit(fine), 20) == "called"
    finally:
        release.set()
