"""docket on uvloop with hiredis: `add_many`."""

# mypy: ignore-errors
# pyright: basic, reportMissingImports=false
# ruff: noqa: ANN201
# The peer is installed in an environment of its own only, where no checker of ours looks.

from asyncio import sleep
from contextlib import asynccontextmanager
from typing import Any

from docket import Docket, Worker


class App:
    """A docket and a worker on it."""

    tally: Any  # set before a worker is started

    def __init__(self, url: str, at_once: int) -> None:
        self.url, self.at_once = url, at_once

    @asynccontextmanager
    async def open(self):
        async def noop(number: int, seconds: float) -> None:
            if seconds:
                await sleep(seconds)
            self.tally.note()

        self.noop = noop
        async with Docket(name="bench", url=self.url) as self.docket:
            self.docket.register(noop)
            yield

    async def one(self, number: int, seconds: float) -> None:
        await self.docket.add(self.noop)(number, seconds)

    async def many(self, jobs: int, seconds: float) -> None:
        await self.docket.add_many([self.docket.call(self.noop)(number, seconds) for number in range(jobs)])

    async def work(self) -> None:
        async with Docket(name="bench", url=self.url) as docket:
            docket.register(self.noop)
            async with Worker(docket, concurrency=self.at_once) as worker:
                await worker.run_forever()
