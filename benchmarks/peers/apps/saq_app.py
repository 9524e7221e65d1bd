"""SAQ on uvloop with hiredis: submissions gathered, since it has no way to submit many at once."""

# mypy: ignore-errors
# pyright: basic, reportMissingImports=false
# ruff: noqa: ANN001, ANN201
# The peer is installed in an environment of its own only, where no checker of ours looks.

from asyncio import gather, sleep
from contextlib import asynccontextmanager
from typing import Any

from saq import Queue, Worker

GATHERED = 200


class App:
    """A queue and a worker on it."""

    tally: Any  # set before a worker is started

    def __init__(self, url: str, at_once: int) -> None:
        self.queue = Queue.from_url(url)
        self.worker = Worker(self.queue, functions=[("noop", self.noop)], concurrency=at_once)

    async def noop(self, ctx, *, number: int, seconds: float) -> None:
        if seconds:
            await sleep(seconds)
        self.tally.note()

    @asynccontextmanager
    async def open(self):
        await self.queue.connect()
        yield

    async def one(self, number: int, seconds: float) -> None:
        await self.queue.enqueue("noop", number=number, seconds=seconds)

    async def many(self, jobs: int, seconds: float) -> None:
        for first in range(0, jobs, GATHERED):
            await gather(*(self.one(number, seconds) for number in range(first, min(jobs, first + GATHERED))))

    async def work(self) -> None:
        await self.worker.start()
