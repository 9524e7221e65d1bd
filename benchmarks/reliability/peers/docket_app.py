"""docket: `docket worker --tasks benchmarks.reliability.peers.docket_app:tasks`."""

# mypy: ignore-errors
# pyright: basic, reportMissingImports=false
# The peer is installed in an environment of its own only, where no checker of ours looks.

import os
from asyncio import sleep

from docket import Docket

from benchmarks.reliability.notes import work


async def nap(job: str, seconds: float) -> None:
    """Take some time."""
    await work(job, seconds, sleep)


tasks = [nap]


async def submit(jobs: list[str], seconds: float) -> None:
    """Submit one job of each name."""
    async with Docket(name="reliability", url=os.environ["RELIABILITY_REDIS"]) as docket:
        for job in jobs:
            await docket.add(nap)(job, seconds)
