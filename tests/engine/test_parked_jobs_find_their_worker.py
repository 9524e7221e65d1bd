"""A job that one worker does not know reaches one that does, though both wait for work."""

import pytest
from trio.testing import MockClock

from penstock.engine import JobContext, JobState, Module
from penstock.engine.events import JobParked
from support.work import working

older, newer = Module("app"), Module("app")


async def common(ctx: JobContext) -> None: ...


older.job(common)
known = newer.job(common)


@newer.job
async def added(ctx: JobContext) -> str:
    return ctx.worker


@pytest.mark.parametrize("olds", [1, 3])
async def test_a_lone_job_does_not_go_back_to_who_parked_it(autojump_clock: MockClock, olds: int) -> None:
    """It is parked at most twice by each worker of the older version before the newer one has it."""
    async with working(newer) as rig:
        for _ in range(olds):
            await rig.start_worker(older)
        await rig.start_worker(newer)
        for _ in range(10):
            receipt = await rig.client.submit(added)
            job = await rig.client.wait(receipt.id, 60 * olds)
            assert job.state is JobState.SUCCEEDED
            parked = [event for event in rig.ears.of(JobParked) if event.id == receipt.id]
            assert len(parked) <= 2 * olds


async def test_a_worker_that_knew_a_job_again_is_as_quick_as_before(autojump_clock: MockClock) -> None:
    """Courtesy ends with the first job that it can run."""
    async with working(newer) as rig:
        await rig.start_worker(older)
        await rig.client.wait((await rig.client.submit(added)).id, 1)
        for patience in (0.5, 0.05, 0.05):
            job = await rig.client.wait((await rig.client.submit(known)).id, patience)
            assert job.state is JobState.SUCCEEDED
