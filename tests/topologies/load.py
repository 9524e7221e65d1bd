"""Load on a topology: submitters and a real worker, what was acknowledged, and what became of it."""

from collections import Counter
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import trio

from penstock.engine import Client, JobContext, JobState, Module, Receipt, keys
from penstock.engine.errors import StoreUnavailable
from penstock.engine.events import Settled
from penstock.engine.redis_store import RedisStore
from penstock.engine.transport import Link, open_link
from support.work import Rig, working

module = Module("topologies")
LEASE = 3.0


@module.job
async def work(ctx: JobContext, seconds: float = 0.002) -> str:
    """Take a moment, so that a failure meets jobs in every state."""
    await trio.sleep(seconds)
    return "done"


class Load:
    """What submitters were told; `receipts` are the acknowledged jobs, in order, by queue."""

    def __init__(self, link: Link, rig: Rig, queues: Sequence[str]) -> None:
        self.link = link
        self.client: Client = rig.client
        self.rig = rig
        self.receipts: dict[str, list[Receipt]] = {queue: [] for queue in queues}
        self.refused = 0
        self._changed = trio.Event()

    async def submit(self, queue: str, count: int, **args: Any) -> list[Receipt]:
        """Submit so many jobs at once and note what was acknowledged."""
        requests = [work.using(queue=queue).request(**args) for _ in range(count)]
        receipts = await self.client.submit_many(requests)
        self.receipts[queue] += receipts
        self._changed.set()
        return receipts

    async def try_to_submit(self, queue: str, count: int) -> list[Receipt] | None:
        """The same; None where the store is away."""
        try:
            return await self.submit(queue, count)
        except StoreUnavailable:
            self.refused += 1
            return None

    async def submit_in_the_end(self, queue: str, count: int) -> list[Receipt]:
        """The same, tried until it is acknowledged; the transport waits before it gives up."""
        with trio.fail_after(40):
            while (receipts := await self.try_to_submit(queue, count)) is None:
                pass
        return receipts

    async def keep_submitting(self, queue: str, pause: float = 0.02) -> None:
        """Submit jobs in fives until cancelled, also while the store is away."""
        while True:
            await self.try_to_submit(queue, 5)
            await trio.sleep(pause)

    async def acknowledged(self, queue: str, more: int) -> None:
        """Wait until so many more jobs of a queue were acknowledged."""
        wanted = len(self.receipts[queue]) + more
        with trio.fail_after(40):
            while len(self.receipts[queue]) < wanted:
                self._changed = trio.Event()
                await self._changed.wait()

    async def replicated(self, queue: str) -> None:
        """Return once everything that was acknowledged for a queue is on a replica."""
        key = keys.root(queue) + "mark"
        async with self.link.reserve(key) as connection:
            await connection.execute("SET", key, "1", "PX", 1)  # behind all of it
            assert await connection.execute("WAIT", 1, 5000, timeout=6) == 1

    async def all_succeed(self, receipts: Sequence[Receipt]) -> None:
        """Wait until these have ended; each of them succeeded and has ended once."""
        with trio.fail_after(40):
            for receipt in receipts:
                job = await self._ended(receipt)
                assert job.state is JobState.SUCCEEDED, job
        for queue in {receipt.queue for receipt in receipts}:
            endings = await self.endings(queue)
            assert set(endings.values()) <= {1}, endings.most_common(3)

    async def endings(self, queue: str) -> Counter[str]:
        """How often each job of a queue has ended, as the stream of endings tells (of the last 1,000)."""
        stream: Any = await self.link.execute("XRANGE", keys.events(queue), "-", "+")
        return Counter(f"{queue}.{suffix.decode()}" for _, fields in stream for suffix in fields[::2])

    async def idle(self, queue: str) -> None:
        """Wait until nothing is left of a queue but its ended jobs."""
        with trio.fail_after(40):
            while True:
                settled = len(self.rig.ears.of(Settled))
                facts = await self.rig.store.facts(queue)
                if not facts.ready + facts.running + facts.scheduled:
                    return
                await self.rig.ears.wait_for(Settled, count=settled + 1)

    async def _ended(self, receipt: Receipt) -> Any:
        while True:
            try:
                job = await self.client.wait(receipt.id, timeout=40)
            except StoreUnavailable:
                continue  # still failing over; `fail_after` bounds it
            assert job.state.final, job
            return job


@asynccontextmanager
async def under_load(url: str, queues: Sequence[str]) -> AsyncGenerator[Load]:
    """A worker and a client on the store at `url`; ended with the block."""
    link = open_link(url)
    try:
        async with working(module, RedisStore(link)) as rig:
            load = Load(link, rig, queues)
            await rig.start_worker(queues=list(queues), concurrency=16, lease=LEASE)
            yield load
    finally:
        await link.aclose()
