"""One of several worker processes: `… REDIS`. A turn works until the queue is empty, and tells how long."""

import sys
import time

import trio

from benchmarks.drain import bench
from benchmarks.frame.child import Figures, Order, take_turns
from penstock.engine import Observers, Registry, Seams, Worker
from penstock.engine.events import Event, Settled
from penstock.engine.redis_store import RedisStore
from penstock.engine.transport import Redis

LOOK = 0.01
"""Seconds between looks whether anything is left."""


class Shares:
    """What this process settled, and when it did so first and last, on the clock of the machine."""

    def __init__(self) -> None:
        self.jobs, self.first, self.last = 0, 0.0, 0.0

    def __call__(self, event: Event) -> None:
        if isinstance(event, Settled):
            self.last = time.monotonic()
            self.first = self.first or self.last
            self.jobs += event.count - event.refused


async def main(url: str) -> None:
    """Make turns until nobody asks for another."""
    async with Redis(url) as redis:
        store = RedisStore(redis)

        async def turn(_order: Order) -> Figures:
            shares = Shares()
            worker = Worker(store, Registry([bench]), seams=Seams(Observers(shares)))
            async with trio.open_nursery() as nursery:
                nursery.start_soon(worker.run)
                left = 1
                while left:
                    await trio.sleep(LOOK)
                    facts = await store.facts("bench")
                    left = facts.ready + facts.running
                worker.drain()
            return {"jobs": shares.jobs, "first": shares.first, "last": shares.last}

        await take_turns(turn)


if __name__ == "__main__":
    trio.run(main, sys.argv[1])
