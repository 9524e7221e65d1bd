"""What calls cost the server: scripts with few and with many jobs in them, sent one after the other."""

import statistics
import time
from collections.abc import Awaitable, Callable
from itertools import count

from benchmarks.planning import costs
from benchmarks.planning.measuring.instruments import main_thread
from benchmarks.planning.measuring.work import QUEUE, noop
from penstock.engine import Client
from penstock.engine.job import JobState
from penstock.engine.record import Ending, encode_ending
from penstock.engine.redis_store import RedisStore
from penstock.engine.store import Settlement
from penstock.engine.transport import Redis

SIZES = (1, 4, 16, 64, 200)
"""Jobs in a call; workers settle 200 at most."""
_JOBS = 4000  # of each size, but no more than so many calls:
_CALLS = 800
_SETS = 200
_WORKER, _LEASE, _KEPT = "planner-1-a-1", 600_000, 60_000  # milliseconds


class Driver:
    """Takes jobs through their life, so many in each call."""

    def __init__(self, redis: Redis, size: int, numbers: "count[int]") -> None:
        self._store = RedisStore(redis)
        self._client = Client(self._store, max_waiting=0)
        self._size, self._numbers = size, numbers
        self._requests = [noop.request(number) for number in range(size)]
        self._held: list[tuple[str, int]] = []

    async def submit(self) -> None:
        """One call."""
        await self._client.submit_many(self._requests)

    async def claim(self) -> None:
        """One call, which finds as many as it asks for."""
        number = next(self._numbers)
        claim = await self._store.claim(QUEUE, _WORKER, number, self._size, suspect=True, idle=False)
        assert claim is not None
        assert len(claim.jobs) == self._size
        self._held += [(job.suffix, job.token) for job in claim.jobs]

    async def settle(self) -> None:
        """One call."""
        batch = [_settlement(*self._held.pop()) for _ in range(self._size)]
        assert "refused" not in await self._store.settle(QUEUE, _WORKER, batch)


async def measure(redis: Redis) -> costs.Server:
    """Submit, claim and settle with each size in turn."""
    await RedisStore(redis).join(QUEUE, _WORKER, _LEASE)
    numbers, submits, claims, settles = count(1), list[float](), list[float](), list[float]()
    for size in SIZES:
        calls, driver = min(_CALLS, _JOBS // size), Driver(redis, size, numbers)
        submits.append(await _spent(redis, driver.submit, calls))
        claims.append(await _spent(redis, driver.claim, calls))
        settles.append(await _spent(redis, driver.settle, calls))
    return costs.Server(*(costs.fit(SIZES, spent) for spent in (submits, claims, settles)))


async def _spent(redis: Redis, step: Callable[[], Awaitable[None]], calls: int) -> float:
    before = await main_thread(redis)
    for _ in range(calls):
        await step()
    return (await main_thread(redis) - before) / calls


def _settlement(suffix: str, token: int) -> Settlement:
    ending = encode_ending(Ending(_WORKER, 0, 0))
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
