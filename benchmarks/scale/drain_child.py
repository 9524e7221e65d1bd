"""Turns at one place of a curve: `… REDIS TENANTS QUEUES PAYLOAD BACKLOG`. All of it waits at first.

A turn drains `jobs` jobs from it with a worker of its own, then fills it up again.
"""

import sys

import trio

from benchmarks.drain import SLICE, drain, info_of
from benchmarks.frame.child import Figures, Order, take_turns
from benchmarks.scale.work import queue_name, requests, scale
from penstock.engine import Client, Registry, Seams
from penstock.engine.redis_store import RedisStore
from penstock.engine.transport import Redis

BATCH_BYTES = 1 << 20
"""Of payload in one submission."""


class Backlog:
    """Jobs that wait, always about as many."""

    def __init__(self, redis: Redis, tenants: int, queues: int, payload: int, most: int) -> None:
        self._client = Client(RedisStore(redis), max_waiting=0)
        self._shape = {"tenants": tenants, "queues": queues, "payload": payload}
        self._slice = max(1, min(SLICE * queues, BATCH_BYTES // payload))
        self._redis = redis
        self._number = 0
        self.most = most
        self.registry = Registry([scale])
        self.queues = [queue_name(number, queues) for number in range(queues)]

    async def fill(self) -> None:
        """Submit what is missing."""
        waiting = 0
        for queue in self.queues:
            waiting += (await self._client.store.facts(queue)).ready
        missing = self.most - waiting
        for first in range(self._number, self._number + missing, self._slice):
            count = min(self._slice, self._number + missing - first)
            await self._client.submit_many(list(requests(first, count, **self._shape)))
        self._number += max(0, missing)


async def main(url: str, tenants: int, queues: int, payload: int, most: int) -> None:
    """Fill, then make turns until nobody asks for another."""
    async with Redis(url) as redis:
        backlog = Backlog(redis, tenants, queues, payload, most)
        empty = await info_of(redis, "memory", "used_memory")
        await backlog.fill()
        waiting = (await info_of(redis, "memory", "used_memory") - empty) / max(1, most)

        async def turn(order: Order) -> Figures:
            jobs = min(int(order["jobs"]), most)
            await backlog.fill()
            await redis.execute("SLOWLOG", "RESET")
            found = await drain(
                RedisStore(redis), Seams(), jobs, registry=backlog.registry, queues=backlog.queues
            )
            return {
                "seconds": found.seconds,
                "drained": jobs / found.seconds,
                "CPU": found.cpu / jobs * 1e6,
                "server CPU": found.server_cpu / jobs * 1e6,
                "commands": found.commands / jobs,
                "round trips": found.round_trips / jobs,
                "waiting": waiting,
                "longest command": await _longest(redis),
            }

        await take_turns(turn)


async def _longest(redis: Redis) -> float:
    """Milliseconds that one command kept the server to itself; 0 below the server's threshold."""
    log = await redis.execute("SLOWLOG", "GET", 128)
    assert isinstance(log, list)
    taken = [entry[2] for entry in log if isinstance(entry, list)]
    return max((micro for micro in taken if isinstance(micro, int)), default=0) / 1000


if __name__ == "__main__":
    numbers = [int(word) for word in sys.argv[2:]]
    trio.run(main, sys.argv[1], numbers[0], numbers[1], numbers[2], numbers[3])
