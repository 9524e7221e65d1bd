"""Outages that are long for the lease: who lives finds the store again before the others lose patience."""

from typing import Any

import trio
from trio.testing import MockClock

from penstock.engine import JobContext, JobState, Module
from penstock.engine.errors import StoreUnavailable
from penstock.engine.events import JobStarted, LeaseLost, StoreUp
from penstock.engine.memory_store import MemoryStore
from support.work import virtual_clock, working

LEASE = 0.5
OUTAGES = 8


class Absent(MemoryStore):
    """Cannot be reached while `away`."""

    def __init__(self) -> None:
        super().__init__(virtual_clock)
        self.away = False

    async def _step(self, queue: str, decide: Any, *args: Any, **kwargs: Any) -> Any:
        self._reach()
        return await super()._step(queue, decide, *args, **kwargs)

    async def ping(self) -> None:
        self._reach()

    def _reach(self) -> None:
        if self.away:
            raise StoreUnavailable("away")


async def test_no_lease_is_lost_to_an_outage(autojump_clock: MockClock) -> None:
    """Pauses between probes are shorter than the shortest lease, however long the store was away."""
    module, over = Module("m"), trio.Event()

    @module.job
    async def work(ctx: JobContext) -> None:
        await over.wait()

    store = Absent()
    async with working(module, store) as rig:
        for _ in range(3):
            await rig.start_worker(lease=LEASE, concurrency=1)
        receipts = await rig.client.submit_many([work.request()] * 3)
        await rig.ears.wait_for(JobStarted, count=3)
        for _ in range(OUTAGES):
            store.away = True
            await trio.sleep(20)
            store.away = False
            await trio.sleep(10)
        over.set()
        jobs = [await rig.client.wait(receipt.id, 60) for receipt in receipts]

    assert rig.ears.of(LeaseLost) == []
    assert len(rig.ears.of(StoreUp)) > OUTAGES
    assert [(job.state, job.crashes) for job in jobs] == [(JobState.SUCCEEDED, 0)] * 3
