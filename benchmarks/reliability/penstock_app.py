"""The job under test for Penstock: `penstock worker benchmarks.reliability.penstock_app:reliability`."""

import os

import trio

from benchmarks.reliability.notes import work
from penstock.engine import Client, JobContext, Module
from penstock.engine.redis_store import RedisStore
from penstock.engine.transport import Redis

reliability = Module("reliability")


@reliability.job
async def nap(ctx: JobContext, job: str, seconds: float) -> None:
    """Take some time."""
    await work(job, seconds, trio.sleep)


async def submit(jobs: list[str], seconds: float) -> None:
    """Submit one job of each name."""
    async with Redis(os.environ["RELIABILITY_REDIS"]) as redis:
        await Client(RedisStore(redis)).submit_many([nap.request(job, seconds) for job in jobs])
