"""The worker while the store fails: before the step, after the step, for a while; on virtual time."""

import random
from collections import Counter
from typing import Any

import pytest
import trio
from trio.testing import MockClock

from penstock.engine import Backoff, JobContext, JobState, Module
from penstock.engine.errors import StoreUnavailable
from penstock.engine.events import JobStarted, LoopCrashed, Settled, StoreDown, StoreUp, WorkerStopped
from penstock.engine.memory_store import MemoryStore
from support.work import virtual_clock, working


class FailingStore(MemoryStore):
    """Loses calls before they are carried out and replies after, by chance, while `odds` says so."""

    def __init__(self, seed: int) -> None:
        super().__init__(virtual_clock)
        self.odds = 0.0
        self._chance = random.Random(seed)
        self.lost = Counter[str]()

    async def _step(self, queue: str, decide: Any, *args: Any, **kwargs: Any) -> Any:
        if self._chance.random() < self.odds:
            self.lost["call"] += 1
            raise StoreUnavailable("the call was lost")
        result = await super()._step(queue, decide, *args, **kwargs)
        if self._chance.random() < self.odds:
            self.lost["reply"] += 1
            raise StoreUnavailable("the reply was lost")
        return result

    async def ping(self) -> None:
        if self.odds >= 1.0:
            raise StoreUnavailable("away")


@pytest.mark.parametrize("seed", range(8))
async def test_calls_and_replies_may_be_lost_and_every_job_still_ends_once(
    autojump_clock: MockClock, seed: int
) -> None:
    """One call in five fails on either side of the step: nothing is stranded, nothing ends twice."""
    module, ended = Module("m"), Counter[str]()

    @module.job(retries=3, backoff=Backoff(base=0.5))
    async def work(ctx: JobContext, number: int) -> int:
        await trio.sleep(0.05)
        if number % 5 == 0 and ctx.attempt == 1:
            raise ValueError("first attempts fail")
        return number

    store = FailingStore(seed)
    async with working(module, store) as rig, store.endings("default") as endings:
        receipts = await rig.client.submit_many([work.request(number) for number in range(100)])
        await rig.start_worker(concurrency=8, lease=10)
        store.odds = 0.2
        await rig.start_worker(concurrency=8, lease=10)
        with trio.fail_after(600):
            async for ending in endings:
                ended[ending.suffix] += 1
                if len(ended) == 100:
                    break
        store.odds = 0.0
        jobs = [await rig.client.get(receipt.id) for receipt in receipts]

    assert [job.state for job in jobs if job] == [JobState.SUCCEEDED] * 100
    assert set(ended.values()) == {1}
    assert min(store.lost["call"], store.lost["reply"]) > 2
    assert not rig.ears.of(LoopCrashed)


async def test_handlers_go_on_while_the_store_is_away_and_are_settled_when_it_is_back(
    autojump_clock: MockClock,
) -> None:
    """An outage longer than the lease cancels nobody; the result arrives afterwards."""
    module, finished = Module("m"), list[float]()

    @module.job
    async def work(ctx: JobContext) -> str:
        await trio.sleep(5)
        finished.append(trio.current_time())
        return ctx.worker

    store = FailingStore(0)
    async with working(module, store) as rig:
        worker = await rig.start_worker(lease=6)
        receipt = await rig.client.submit(work)
        [started] = await rig.ears.wait_for(JobStarted)
        store.odds = 1.0
        await trio.sleep(30)
        assert finished
        assert not worker.ready
        store.odds = 0.0
        await rig.ears.wait_for(Settled)
        job = await rig.client.get(receipt.id)
        assert job is not None
        assert (job.state, job.result, job.crashes) == (JobState.SUCCEEDED, started.attempt.worker, 0)
        down, up = rig.ears.of(StoreDown), await rig.ears.wait_for(StoreUp, count=3)
        assert {event.loop for event in up} <= {event.loop for event in down}
        await trio.sleep(10)
        assert worker.ready


async def test_a_worker_may_be_started_before_its_store(autojump_clock: MockClock) -> None:
    """It waits, says so, and begins when the store is there."""
    module = Module("m")

    @module.job
    async def work(ctx: JobContext) -> str:
        return "done"

    store = FailingStore(0)
    async with working(module, store) as rig:
        receipt = await rig.client.submit(work)
        store.odds = 1.0
        rig.nursery.start_soon(rig.start_worker)
        await rig.ears.wait_for(StoreDown)
        await trio.sleep(20)
        store.odds = 0.0
        assert await rig.client.result(receipt, 20) == "done"


async def test_a_worker_drains_in_bounded_time_while_the_store_is_away(autojump_clock: MockClock) -> None:
    """SIGTERM during an outage: running jobs finish, nothing waits for the store for ever."""
    module = Module("m")

    @module.job
    async def work(ctx: JobContext) -> None:
        await trio.sleep(5)

    store = FailingStore(0)
    async with working(module, store) as rig:
        worker = await rig.start_worker()
        await rig.client.submit(work)
        await rig.ears.wait_for(JobStarted)
        store.odds = 1.0
        await rig.ears.wait_for(StoreDown)
        began = trio.current_time()
        worker.drain()
        await rig.ears.wait_for(WorkerStopped)
        assert trio.current_time() - began < 20
