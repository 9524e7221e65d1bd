"""taskiq on uvloop, the stream broker of taskiq-redis: 100 messages a read, as many prefetched."""

# mypy: ignore-errors
# pyright: basic, reportMissingImports=false
# ruff: noqa: ANN201
# The peer is installed in an environment of its own only, where no checker of ours looks.

from asyncio import Event, gather, sleep
from contextlib import asynccontextmanager
from typing import Any

from taskiq.receiver import Receiver
from taskiq_redis import ListQueueBroker, RedisStreamBroker

GATHERED = 32
PREFETCH = 100


class App:
    """A broker, and a receiver on it."""

    tally: Any  # set before a worker is started

    streams = True

    def __init__(self, url: str, at_once: int) -> None:
        self.broker = (
            RedisStreamBroker(url, consumer_id="0", max_connection_pool_size=GATHERED)
            if self.streams
            else ListQueueBroker(url, max_connection_pool_size=GATHERED)
        )
        self.at_once = at_once

        @self.broker.task(task_name="noop")
        async def noop(number: int, seconds: float) -> None:
            if seconds:
                await sleep(seconds)
            self.tally.note()

        self.noop = noop

    @asynccontextmanager
    async def open(self):
        await self.broker.startup()
        yield

    async def one(self, number: int, seconds: float) -> None:
        await self.noop.kiq(number, seconds)

    async def many(self, jobs: int, seconds: float) -> None:
        for first in range(0, jobs, GATHERED):
            await gather(*(self.one(number, seconds) for number in range(first, min(jobs, first + GATHERED))))

    async def work(self) -> None:
        self.broker.is_worker_process = True
        receiver = Receiver(
            self.broker, max_async_tasks=self.at_once, max_prefetch=PREFETCH, run_startup=False
        )
        await receiver.listen(Event())
