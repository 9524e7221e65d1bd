"""streaQ on asyncio and uvloop: `enqueue_many`, a prefetch of twice what runs at once (its default)."""

# mypy: ignore-errors
# pyright: basic, reportMissingImports=false
# ruff: noqa: ANN201
# The peer is installed in an environment of its own only, where no checker of ours looks.

from asyncio import sleep
from typing import Any

from streaq import Worker


class App:
    """A worker that is also the client."""

    tally: Any  # set before a worker is started

    def __init__(self, url: str, at_once: int) -> None:
        self.worker = Worker(redis_url=url, concurrency=at_once, handle_signals=False)

        @self.worker.task(name="noop")
        async def noop(number: int, seconds: float) -> None:
            if seconds:
                await sleep(seconds)
            self.tally.note()

        self.noop = noop

    def open(self):
        return self.worker

    async def one(self, number: int, seconds: float) -> None:
        await self.noop.enqueue(number, seconds)

    async def many(self, jobs: int, seconds: float) -> None:
        await self.worker.enqueue_many([self.noop.enqueue(number, seconds) for number in range(jobs)])

    async def work(self) -> None:
        await self.worker.run_async()
