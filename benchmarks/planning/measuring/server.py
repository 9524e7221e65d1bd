"""What calls cost the server: scripts with few and with many jobs in them, singly and several at once."""

import statistics
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from functools import partial
from itertools import count, product

import trio

from benchmarks.planning import costs
from benchmarks.planning.measuring.instruments import info, main_thread
from benchmarks.planning.measuring.work import QUEUE, noop
from penstock.engine import Client
from penstock.engine.job import JobState
from penstock.engine.record import Ending, encode_ending
from penstock.engine.redis_store import RedisStore
from penstock.engine.store import Settlement
from penstock.engine.transport import Redis

SIZES = (1, 4, 16, 64, 200)
"""Jobs in a call; workers settle 200 at most."""
AT_ONCE = (1, 8)
"""Callers, each on a connection of its own: alone, each call wakes the server; together they share that."""
_JOBS = 4000  # of each size, but no more than so many calls:
_CALLS = 800
_SETS = 200
_LEASE, _KEPT = 600_000, 60_000  # milliseconds


class Driver:
    """Takes jobs through their life, so many in each call, as one worker on a connection of its own."""

    def __init__(self, redis: Redis, worker: str, numbers: "count[int]", size: int) -> None:
        self._store = RedisStore(redis)
        self._client = Client(self._store, max_waiting=0)
        self._worker, self._numbers, self._size = worker, numbers, size
        self._requests = [noop.request(number) for number in range(size)]
        self._held: list[tuple[str, int]] = []

    async def submit(self) -> None:
        """One call."""
        await self._client.submit_many(self._requests)

    async def claim(self) -> None:
        """One call, which finds as many as it asks for."""
        number = next(self._numbers)
        claim = await self._store.claim(QUEUE, self._worker, number, self._size, suspect=True, idle=False)
        assert claim is not None
        assert len(claim.jobs) == self._size
        self._held += [(job.suffix, job.token) for job in claim.jobs]

    async def settle(self) -> None:
        """One call."""
        batch = [_settlement(self._worker, *self._held.pop()) for _ in range(self._size)]
        assert "refused" not in await self._store.settle(QUEUE, self._worker, batch)


async def measure(redis: Redis, url: str) -> costs.Server:
    """Submit, claim and settle with each size, one call after the other and several at once."""
    points = list[costs.Point]()
    async with AsyncExitStack() as stack:
        crew = list[Callable[[int], Driver]]()
        for number in range(max(AT_ONCE)):
            link, worker = await stack.enter_async_context(Redis(url)), f"planner-1-{number}-1"
            await RedisStore(link).join(QUEUE, worker, _LEASE)
            crew.append(partial(Driver, link, worker, count(1)))
        for size, at_once in product(SIZES, AT_ONCE):
            drivers = [hire(size) for hire in crew[:at_once]]
            calls = max(1, min(_CALLS, _JOBS // size) // at_once)
            for script in costs.SCRIPTS:
                steps = [getattr(driver, script) for driver in drivers]
                points.append(await _point(redis, script, size, steps, calls))
    return costs.server_of(points)


async def _point(
    redis: Redis, script: str, size: int, steps: Sequence[Callable[[], Awaitable[None]]], calls: int
) -> costs.Point:
    """Call each step so often, one beside the other."""
    spent, cycles = await main_thread(redis), await _cycles(redis)
    async with trio.open_nursery() as nursery:
        for step in steps:
            nursery.start_soon(_repeat, step, calls)
    cycles, spent = await _cycles(redis) - cycles, await main_thread(redis) - spent
    done = calls * len(steps)
    return costs.Point(script, size, cycles / done, spent / done)


async def _repeat(step: Callable[[], Awaitable[None]], times: int) -> None:
    for _ in range(times):
        await step()


async def _cycles(redis: Redis) -> float:
    return (await info(redis, "stats"))["eventloop_cycles"]


def _settlement(worker: str, suffix: str, token: int) -> Settlement:
    ending = encode_ending(Ending(worker, 0, 0))
    return Settlement(suffix, token, JobState.SUCCEEDED, 1, _KEPT, ending)


async def measure_sync(syncing: Redis, lazy: Redis) -> float:
    """Milliseconds by which a write takes longer where it is on disk before it is acknowledged."""
    medians = list[float]()
    for redis in (syncing, lazy):
        taken = list[float]()
        for number in range(_SETS):
            began = time.perf_counter()
            await redis.execute("SET", "planning", number)
            taken.append(time.perf_counter() - began)
        medians.append(statistics.median(taken))
    return max(0.0, 1000 * (medians[0] - medians[1]))
