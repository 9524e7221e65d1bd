"""A worker that is alive takes jobs and one told to stop holds none, whatever the store is doing."""

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import pytest
import trio
from trio.testing import MockClock

from penstock.engine import JobContext, JobState, Module, Registry, Worker
from penstock.engine.errors import StoreUnavailable
from penstock.engine.events import JobFinished, JobStarted, LeaseLost, WorkersReaped, WorkerStopped
from penstock.engine.memory_store import MemoryStore, moving
from penstock.engine.store import Claim, Reaping, Settlement, Verdict, Wake
from support.work import virtual_clock, working

SECONDS = 5.0
"""What 'within seconds' means here: far less than a lease or a grace period."""


class FailingSettles(MemoryStore):
    """Is away for so many settlements."""

    def __init__(self, failures: int) -> None:
        super().__init__(virtual_clock)
        self._left = failures

    async def settle(self, queue: str, worker: str, settlements: Sequence[Settlement]) -> list[Verdict]:
        if self._left:
            self._left -= 1
            raise StoreUnavailable("away for a moment")
        return await super().settle(queue, worker, settlements)


@pytest.mark.parametrize("failures", [1, 3])
async def test_a_settlement_that_failed_does_not_end_the_fetching(
    autojump_clock: MockClock, failures: int
) -> None:
    """Held back by endings that pile up, the fetcher goes on once they are stored, though nothing runs."""
    module = Module("m")

    @module.job
    async def quick(ctx: JobContext) -> None: ...

    async with working(module, FailingSettles(failures)) as rig:
        await rig.client.submit_many([quick.request() for _ in range(200)])
        await rig.start_worker(concurrency=2)
        await rig.ears.wait_for(JobFinished, count=200, within=30)


class SlowClaims(MemoryStore):
    """Once told to, carries claims out late and answers them later still."""

    def __init__(self, before: float, after: float) -> None:
        super().__init__(virtual_clock)
        self.slow = False
        self._before, self._after = before, after

    async def claim(
        self,
        queue: str,
        worker: str,
        number: int,
        count: int,
        *,
        suspect: bool,
        idle: bool,
        handed: bool = False,
    ) -> Claim | None:
        slow = self.slow
        if slow:
            await trio.sleep(self._before)
        answer = await super().claim(queue, worker, number, count, suspect=suspect, idle=idle, handed=handed)
        if slow and answer is not None and answer.jobs:
            await trio.sleep(self._after)
        return answer


@pytest.mark.parametrize("queues", [("a", "b"), ("b", "a")])
@pytest.mark.parametrize("late", [0.05, 0.2, 0.4, 3.0])
async def test_a_stop_holds_for_what_a_claim_under_way_brings(
    autojump_clock: MockClock, queues: tuple[str, str], late: float
) -> None:
    """No job of whichever queue starts after `stop` and runs on; the worker is gone within seconds."""
    module = Module("m")

    @module.job(queue="a", timeout=300)
    async def long(ctx: JobContext) -> None:
        await trio.sleep(200)

    store = SlowClaims(before=late, after=late)
    async with working(module, store) as rig:
        worker = await rig.start_worker(queues=queues, concurrency=2, grace=0)
        await trio.sleep(1)  # it has found nothing and waits to be woken
        store.slow = True
        receipt, _ = await rig.client.submit_many([long.request()] * 2)  # one would come with the wake-up
        await trio.sleep(late / 2)
        worker.stop()
        await rig.ears.wait_for(WorkerStopped, within=2 * SECONDS)
        job = await rig.client.get(receipt.id)
        assert rig.ears.of(JobStarted) == []

    assert job is not None
    assert (job.state, job.attempt) == (JobState.READY, 0)


async def test_a_drain_gives_back_within_seconds_what_a_late_answer_would_have_brought(
    autojump_clock: MockClock,
) -> None:
    """Jobs that a claim has taken do not wait for those that run here and may finish in peace."""
    module, late = Module("m"), 3.0

    @module.job
    async def long(ctx: JobContext) -> None:
        await trio.sleep(40)

    @module.job
    async def short(ctx: JobContext) -> None: ...

    store = SlowClaims(before=0, after=late)
    async with working(module, store) as rig:
        worker = await rig.start_worker(concurrency=8, grace=50)
        receipt = await rig.client.submit(long)
        await rig.ears.wait_for(JobStarted)
        await trio.sleep(1)
        store.slow = True
        await rig.client.submit_many([short.request() for _ in range(3)])
        await trio.sleep(0.1)  # the claim has taken them and its answer is on the way
        assert (await rig.store.facts("default")).running == 4
        store.slow = False
        worker.drain()
        await rig.start_worker(concurrency=8)
        await rig.ears.wait_for(
            JobFinished, count=3, where=lambda event: event.attempt.job == "m.short", within=SECONDS
        )
        job = await rig.client.wait(receipt.id, 60)

    assert (job.state, job.attempt) == (JobState.SUCCEEDED, 1)


class SlowListening(MemoryStore):
    """Takes its time for the first subscription."""

    first = True

    def listen(self, worker: str, queues: Sequence[str]) -> AbstractAsyncContextManager[AsyncIterator[Wake]]:
        return self._slowly(worker, queues)

    @asynccontextmanager
    async def _slowly(self, worker: str, queues: Sequence[str]) -> AsyncGenerator[AsyncIterator[Wake]]:
        if self.first:
            self.first = False
            await trio.sleep(100)
        async with super().listen(worker, queues) as wakes:
            yield wakes


async def test_starting_ends_though_the_first_lease_is_lost_before_it_listened(
    autojump_clock: MockClock,
) -> None:
    """`nursery.start(worker.run)` returns with the next lease, and the worker takes jobs."""
    module = Module("m")

    @module.job
    async def work(ctx: JobContext) -> str:
        return "done"

    store = SlowListening(virtual_clock)

    async def revoke() -> None:
        await trio.sleep(2)
        later = virtual_clock() + 1_000_000  # as a reaper does that saw the lease expire
        moving.reap(store._queue("default"), later, max_crashes=9, ending=b"", keep=1000, limit=500)

    async with working(module, store) as rig:
        rig.nursery.start_soon(revoke)
        with trio.fail_after(60):
            await rig.start_worker(concurrency=1, lease=15)
        assert len(rig.ears.of(LeaseLost)) == 1
        assert await rig.client.result(await rig.client.submit(work), SECONDS) == "done"


class AwayForGood(MemoryStore):
    """Cannot be reached."""

    async def join(self, queue: str, worker: str, lease: int, slots: int = 0) -> None:
        raise StoreUnavailable("away")

    async def ping(self) -> None:
        raise StoreUnavailable("away")


@pytest.mark.parametrize("order", [Worker.drain, Worker.stop])
async def test_starting_ends_when_told_to_go_before_the_store_was_ever_reached(
    autojump_clock: MockClock, order: Callable[[Worker], None]
) -> None:
    """`nursery.start(worker.run)` returns without an error and leaves no task behind."""
    module = Module("m")

    @module.job
    async def work(ctx: JobContext) -> None: ...

    worker = Worker(AwayForGood(virtual_clock), Registry([module]))

    async def tell() -> None:
        await trio.sleep(1)
        order(worker)

    with trio.fail_after(20):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(tell)
            await nursery.start(worker.run)
    assert not worker.ready


class Flapping(MemoryStore):
    """Is away for `away` seconds of every `every`, for all who reap."""

    every, away = 10.0, 0.0

    async def reap(self, queue: str, **how: Any) -> Reaping:
        if trio.current_time() % self.every < self.away:
            raise StoreUnavailable("away for a while")
        return await super().reap(queue, **how)


@pytest.mark.parametrize(
    ("every", "away"),
    [(0.5, 0.2), (5.0, 3.0), (10.0, 5.0), (14.0, 5.0), (40.0, 14.0), (10.0, 8.5), (9.0, 8.0), (20.0, 12.0)],
)
async def test_a_reaper_loses_its_patience_with_a_store_that_comes_and_goes(
    autojump_clock: MockClock, every: float, away: float
) -> None:
    """The jobs of the dead are kept from the living for three leases and two outages, not for ever."""
    module, lease = Module("m"), 15.0

    @module.job
    async def work(ctx: JobContext) -> str:
        return ctx.worker

    store = Flapping(virtual_clock)
    store.every, store.away = every, away
    async with working(module, store) as rig:
        receipt = await rig.client.submit(work)
        await store.join("default", "dead", 1000)
        claim = await store.claim("default", "dead", 1, 1, suspect=False, idle=False)
        assert claim is not None
        assert len(claim.jobs) == 1
        await rig.start_worker(concurrency=8, lease=lease)
        began = trio.current_time()
        await rig.client.result(receipt, 20 * lease)
        took = trio.current_time() - began
        [reaped] = rig.ears.of(WorkersReaped)

    assert reaped.revoked == ["dead"]
    assert (
        lease <= took <= 3 * lease + 2 * every + SECONDS
    )  # the store may be away when it begins and when it ends
