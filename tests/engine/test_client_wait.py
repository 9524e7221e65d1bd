"""Waiting for an ending that nobody told of."""

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import pytest
import trio
from trio.testing import MockClock

from penstock.engine import Job, JobContext, JobState, Module
from penstock.engine.client import LOOK_AGAIN
from penstock.engine.memory_store import MemoryStore
from penstock.engine.store import Ended
from support.work import virtual_clock, working


class DeafStore(MemoryStore):
    """Its stream of endings stands and tells of none: what a tail sees that fell behind what is kept."""

    def endings(self, queue: str) -> AbstractAsyncContextManager[AsyncIterator[Ended]]:
        return self._nothing()

    @asynccontextmanager
    async def _nothing(self) -> AsyncGenerator[AsyncIterator[Ended]]:
        sender, receiver = trio.open_memory_channel[Ended](0)
        with sender, receiver:
            yield receiver


async def test_a_waiter_finds_an_ending_that_the_stream_lost(autojump_clock: MockClock) -> None:
    """However many wait, with a bound or without: each looks unasked, within half a minute of the end."""
    module, ended = Module("m"), list[tuple[Job, float]]()

    @module.job
    async def work(ctx: JobContext) -> int:
        await trio.sleep(70)
        return 7

    async with working(module, DeafStore(virtual_clock)) as rig:
        await rig.start_worker()
        receipt = await rig.client.submit(work)

        async def wait(timeout: float | None) -> None:
            ended.append((await rig.client.wait(receipt.id, timeout), trio.current_time()))

        with trio.fail_after(600):
            async with trio.open_nursery() as nursery:
                for timeout in (None, 1000, None):
                    nursery.start_soon(wait, timeout)

    assert [(job.state, job.result) for job, _ in ended] == [(JobState.SUCCEEDED, 7)] * 3
    assert max(at for _, at in ended) <= 70 + LOOK_AGAIN + 1


async def test_looking_unasked_does_not_prolong_the_wait(autojump_clock: MockClock) -> None:
    """A timeout longer than one look is kept to the second."""
    module = Module("m")

    @module.job
    async def work(ctx: JobContext) -> None: ...

    async with working(module, DeafStore(virtual_clock)) as rig:
        receipt = await rig.client.submit(work)
        job = await rig.client.wait(receipt.id, 2.5 * LOOK_AGAIN)
        assert trio.current_time() == pytest.approx(2.5 * LOOK_AGAIN, abs=0.1)

    assert job.state is JobState.READY
