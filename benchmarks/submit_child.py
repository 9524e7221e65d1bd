"""Turns of submitting: `… REDIS BACKEND`, where the backend is `trio` or `asyncio`.

An order says how many `jobs`, and `how`: one after another, in bulk, or as bare bytes in the same two ways.
"""

import sys
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import cast

import anyio

from benchmarks.drain import SLICE, noop, submit_bulk
from benchmarks.frame.child import Figures, Order, take_turns
from benchmarks.limit.line import Line
from penstock.engine import Client, keys, scripts
from penstock.engine.intake import arguments, script_for
from penstock.engine.job import JobState
from penstock.engine.redis_store import RedisStore
from penstock.engine.store import NewJob, Store, Submitted, Terms
from penstock.engine.transport import Redis
from penstock.engine.transport.wire import pack

SINGLY, BULK, BARE_SINGLY, BARE_BULK = "singly", "bulk", "bare singly", "bare bulk"


async def main(url: str) -> None:
    """Make turns until nobody asks for another."""
    async with Redis(url) as redis:
        client, line = Client(RedisStore(redis)), Line(url)
        ways: dict[str, Callable[[int], Awaitable[float]]] = {
            SINGLY: lambda jobs: _singly(client, jobs),
            BULK: lambda jobs: submit_bulk(client, [noop.request(number) for number in range(jobs)]),
            BARE_SINGLY: lambda jobs: _bare(line, jobs, 1),
            BARE_BULK: lambda jobs: _bare(line, jobs, SLICE),
        }

        async def turn(order: Order) -> Figures:
            jobs, how = int(order["jobs"]), str(order["how"])
            await redis.execute("FLUSHALL")
            for few in (1, 2):  # the server has the scripts for one and for several, and has listed the queue
                await client.submit_many([noop.request(number) for number in range(few)])
            seconds = await ways[how](jobs)
            single = {"one submission": seconds / jobs * 1e6} if "singly" in how else {}
            return {"seconds": seconds, "submitted": jobs / seconds, **single}

        await take_turns(turn)


async def _singly(client: Client, jobs: int) -> float:
    began = time.perf_counter()
    for number in range(jobs):
        await client.submit(noop, number)
    return time.perf_counter() - began


async def _bare(line: Line, jobs: int, batch: int) -> float:
    """What Penstock would send, packed before; a blocking socket, nothing beside it."""
    told = _Told()
    client = Client(cast(Store, told))
    for start in range(0, jobs, batch):
        await client.submit_many([noop.request(number) for number in range(start, min(start + batch, jobs))])
    began = time.perf_counter()
    line.replies(told.packed)
    return time.perf_counter() - began


class _Told:
    """In the place of a store: keeps what it would send."""

    def __init__(self) -> None:
        self.packed: list[bytes] = []
        self._scripts = scripts.load()

    async def submit(self, queue: str, jobs: Sequence[NewJob], terms: Terms) -> list[Submitted]:
        script = self._scripts[script_for(jobs)]
        words = ("EVALSHA", script.sha1, 1, keys.root(queue), *arguments(jobs, terms, 0))
        self.packed.append(pack(words))
        return [Submitted(job.suffix, True, JobState.READY) for job in jobs]


if __name__ == "__main__":
    anyio.run(main, sys.argv[1], backend=sys.argv[2])
