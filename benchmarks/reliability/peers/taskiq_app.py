"""taskiq with taskiq-redis' stream broker: `taskiq worker benchmarks.reliability.peers.taskiq_app:broker`."""

# mypy: ignore-errors
# pyright: basic, reportMissingImports=false
# The peer is installed in an environment of its own only, where no checker of ours looks.

import os
from asyncio import sleep

from taskiq_redis import RedisStreamBroker

from benchmarks.reliability.notes import work

broker = RedisStreamBroker(
    os.environ["RELIABILITY_REDIS"], idle_timeout=int(os.environ["RELIABILITY_LEASE"]) * 1000
)


@broker.task(task_name="nap")
async def nap(job: str, seconds: float) -> None:
    """Take some time."""
    await work(job, seconds, sleep)


async def submit(jobs: list[str], seconds: float) -> None:
    """Submit one job of each name."""
    await broker.startup()
    for job in jobs:
        await nap.kiq(job, seconds)
    await broker.shutdown()
