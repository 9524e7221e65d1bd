"""Draining and stopping a worker, on virtual time."""

from collections import Counter

import pytest
import trio
from trio.testing import MockClock

from penstock.engine import JobContext, JobState, Module
from penstock.engine.events import (
    JobFinished,
    JobsReleased,
    JobStarted,
    WorkerDraining,
    WorkerStopped,
)
from support.work import working


async def test_draining_lets_running_jobs_finish_and_gives_the_rest_back(autojump_clock: MockClock) -> None:
    """Prefetched jobs go back at once and unharmed; running ones end well; then the worker is gone."""
    module = Module("m")

    @module.job
    async def work(ctx: JobContext) -> int:
        await trio.sleep(10)
        return ctx.attempt

    async with working(module) as rig:
        receipts = await rig.client.submit_many([work.request() for _ in range(10)])
        worker = await rig.start_worker(concurrency=4, grace=20)
        await rig.ears.wait_for(JobStarted, count=4)
        assert worker.ready
        worker.drain()
        await rig.ears.wait_for(WorkerDraining)
        assert not worker.ready
        await rig.ears.wait_for(WorkerStopped)
        jobs = [await rig.client.get(receipt.id) for receipt in receipts]
        facts = await rig.store.facts("default")

    assert Counter(job.state for job in jobs if job) == {JobState.SUCCEEDED: 4, JobState.READY: 6}
    assert {job.attempt for job in jobs if job and job.state is JobState.READY} == {0}
    assert (facts.workers, facts.running) == (0, 0)


async def test_prefetched_jobs_of_a_draining_worker_start_elsewhere_within_a_second(
    autojump_clock: MockClock,
) -> None:
    """The other worker need not wait for the lease, nor for the running jobs to finish."""
    module = Module("m")

    @module.job
    async def work(ctx: JobContext, seconds: float) -> None:
        await trio.sleep(seconds)

    async with working(module) as rig:
        worker = await rig.start_worker(concurrency=4, grace=60)
        await rig.client.submit_many([work.request(0.001) for _ in range(400)])
        await rig.ears.wait_for(JobFinished, count=400)
        await rig.client.submit_many([work.request(30.0) for _ in range(8)])
        await rig.ears.wait_for(JobStarted, count=404)
        worker.drain()
        drained = trio.current_time()
        await rig.start_worker(concurrency=8)
        await rig.ears.wait_for(JobStarted, count=408)
        assert trio.current_time() - drained < 1


async def test_after_the_grace_period_running_jobs_are_cancelled_and_given_back(
    autojump_clock: MockClock,
) -> None:
    """Being interrupted by a deployment costs no attempt."""
    module = Module("m")

    @module.job
    async def endless(ctx: JobContext) -> None:
        await trio.sleep_forever()

    async with working(module) as rig:
        worker = await rig.start_worker(grace=15)
        receipt = await rig.client.submit(endless)
        await rig.ears.wait_for(JobStarted)
        began = trio.current_time()
        worker.drain()
        await rig.ears.wait_for(WorkerStopped)
        job = await rig.client.get(receipt.id)

        assert trio.current_time() - began == pytest.approx(15, abs=1)
        assert job is not None
        assert (job.state, job.attempt) == (JobState.READY, 0)
        assert [event.reason for event in rig.ears.of(JobsReleased)] == ["shutdown"]


async def test_a_second_order_stops_at_once(autojump_clock: MockClock) -> None:
    """`stop` does not wait for the grace period and still loses nothing."""
    module = Module("m")

    @module.job
    async def endless(ctx: JobContext) -> None:
        await trio.sleep_forever()

    async with working(module) as rig:
        worker = await rig.start_worker(grace=1000)
        receipt = await rig.client.submit(endless)
        await rig.ears.wait_for(JobStarted)
        began = trio.current_time()
        worker.drain()
        worker.stop()
        await rig.ears.wait_for(WorkerStopped)
        job = await rig.client.get(receipt.id)

        assert trio.current_time() - began < 1
        assert job is not None
        assert (job.state, job.attempt) == (JobState.READY, 0)
