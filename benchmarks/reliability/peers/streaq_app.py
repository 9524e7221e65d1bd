"""streaQ: `streaq run benchmarks.reliability.peers.streaq_app:worker`."""

# mypy: ignore-errors
# pyright: basic, reportMissingImports=false
# The peer is installed in an environment of its own only, where no checker of ours looks.

import os
from asyncio import sleep

from streaq import Worker

from benchmarks.reliability.notes import work

worker = Worker(
    redis_url=os.environ["RELIABILITY_REDIS"],
    concurrency=int(os.environ["RELIABILITY_CONCURRENCY"]),
    prefetch=int(os.environ["RELIABILITY_CONCURRENCY"]),
    idle_timeout=int(os.environ["RELIABILITY_LEASE"]),
)


@worker.task(name="nap")
async def nap(job: str, seconds: float) -> None:
    """Take some time."""
    await work(job, seconds, sleep)


async def submit(jobs: list[str], seconds: float) -> None:
    """Submit one job of each name."""
    async with worker:
        for job in jobs:
            await nap.enqueue(job, seconds)
