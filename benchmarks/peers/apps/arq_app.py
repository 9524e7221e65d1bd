"""arq on uvloop with hiredis: it polls, here every 10 ms instead of every 500; submissions gathered."""

# mypy: ignore-errors
# pyright: basic, reportMissingImports=false
# ruff: noqa: ANN001, ANN201
# The peer is installed in an environment of its own only, where no checker of ours looks.

from asyncio import gather, sleep
from contextlib import asynccontextmanager
from typing import Any

from arq import create_pool, func
from arq.connections import RedisSettings
from arq.worker import Worker

GATHERED = 32


class App:
    """A pool and a worker on it."""

    tally: Any  # set before a worker is started

    def __init__(self, url: str, at_once: int) -> None:
        self.settings = RedisSettings.from_dsn(url)
        self.at_once = at_once

    async def noop(self, ctx, number: int, seconds: float) -> None:
        if seconds:
            await sleep(seconds)
        self.tally.note()

    @asynccontextmanager
    async def open(self):
        self.pool = await create_pool(self.settings)
        yield

    async def one(self, number: int, seconds: float) -> None:
        await self.pool.enqueue_job("noop", number, seconds)

    async def many(self, jobs: int, seconds: float) -> None:
        for first in range(0, jobs, GATHERED):
            await gather(*(self.one(number, seconds) for number in range(first, min(jobs, first + GATHERED))))

    async def work(self) -> None:
        self.worker = Worker(
            functions=[func(self.noop, name="noop")],
            redis_pool=self.pool,
            max_jobs=self.at_once,
            poll_delay=0.01,
            handle_signals=False,
        )
        await self.worker.async_run()
