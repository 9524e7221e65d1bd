"""A worker that a job takes down with it, and a client that its store refuses; on virtual time."""

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager

import pytest
import trio
from trio.testing import MockClock

from penstock.engine import Client, JobContext, JobState, Module, Registry, Worker, WorkerSettings
from penstock.engine.errors import StoreRefused
from penstock.engine.memory_store import MemoryStore
from penstock.engine.store import Ended
from support.work import virtual_clock


async def test_a_job_that_ends_its_worker_is_counted_and_buried(autojump_clock: MockClock) -> None:
    """A crashed worker gives nothing back as if nothing had happened: the third crash makes a dead letter."""
    module, runs = Module("m"), 0

    @module.job(retries=0)
    async def interrupt(ctx: JobContext) -> None:
        nonlocal runs
        runs += 1
        raise KeyboardInterrupt

    store = MemoryStore(virtual_clock)
    settings = WorkerSettings(lease=3, max_crashes=3)
    receipt = await Client(store).submit(interrupt)
    crashes = list[int]()
    for _ in range(3):
        with pytest.raises(BaseExceptionGroup) as caught, trio.fail_after(60):
            await Worker(store, Registry([module]), settings=settings).run()
        assert caught.group_contains(KeyboardInterrupt)
        record = await store.read(*receipt.id.split("."))
        assert record is not None
        crashes.append(record.header.crashes)

    with trio.move_on_after(30):
        await Worker(store, Registry([module]), settings=settings).run()
    job = await Client(store).get(receipt.id)

    assert crashes == [0, 1, 2]  # counted when the lease has run out, not given back
    assert runs == 3
    assert job is not None
    assert (job.state, job.crashes) == (JobState.DEAD, 3)


class Deaf(MemoryStore):
    """Refuses to tell of endings, as an ACL may."""

    @asynccontextmanager
    async def endings(self, queue: str) -> AsyncGenerator[AsyncIterator[Ended]]:
        raise StoreRefused("NOPERM no permission to run the 'xread' command")
        yield  # pyright: ignore[reportUnreachable]


async def test_a_refused_stream_of_endings_is_the_waiters_error(autojump_clock: MockClock) -> None:
    """Who waits is told why; the client, and everybody else who uses it, goes on."""
    module = Module("m")

    @module.job
    async def work(ctx: JobContext) -> None: ...

    async with Client(Deaf(virtual_clock)) as client:
        receipt = await client.submit(work)
        for _ in range(2):
            with pytest.raises(StoreRefused, match="NOPERM"):
                await client.wait(receipt.id, 1000)
        assert await client.get(receipt.id) is not None
