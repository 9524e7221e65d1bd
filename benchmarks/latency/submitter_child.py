"""The submitter of an open loop: `… REDIS`. A turn submits at a rate, whether or not anybody keeps up.

Arrivals are drawn (exponential gaps: a Poisson process) before the turn begins. What is due goes out, at high
rates what came due within a millisecond in one submission, and no submission waits for the answer of another:
a stalled server or worker does not slow down arrivals, so what it delays is seen (no coordinated omission).
"""

import random
import sys
import time
from collections.abc import Sequence

import trio

from benchmarks.frame.child import Figures, Order, take_turns
from benchmarks.latency.worker_child import tick
from penstock.engine import Client
from penstock.engine.redis_store import RedisStore
from penstock.engine.transport import Redis

TICK = 0.001  # seconds
_LEAD = 0.1  # seconds until the first arrival, so that nothing of it is late because of us
_MOST = 5_000
"""Jobs that a submission to fill the queue has."""


async def main(url: str) -> None:
    """Submit until nobody asks any more."""
    async with Redis(url) as redis:
        client = Client(RedisStore(redis))

        async def turn(order: Order) -> Figures:
            if "fill" in order:
                return await _fill(client, int(order["fill"]), float(order["seconds"]))
            return await _open_loop(client, float(order["rate"]), float(order["seconds"]), int(order["seed"]))

        await take_turns(turn)


async def _open_loop(client: Client, rate: float, seconds: float, seed: int) -> Figures:
    chance, began = random.Random(seed), time.monotonic() + _LEAD
    arrivals, at = list[float](), began
    while (at := at + chance.expovariate(rate)) < began + seconds:
        arrivals.append(at)
    late, sent = list[float](), 0
    gap = TICK if rate > 1 / TICK else 0.0  # below that, each arrival is a submission of its own
    async with trio.open_nursery() as nursery:
        while sent < len(arrivals):
            await trio.sleep(max(gap, arrivals[sent] - time.monotonic()))
            now, first = time.monotonic(), sent
            while sent < len(arrivals) and arrivals[sent] <= now:
                sent += 1
            if sent > first:
                late.append(now - arrivals[first])
                nursery.start_soon(_submit, client, arrivals[first:sent])
    return {"submitted": float(sent), "late": 1000 * sum(late) / max(1, len(late))}


async def _submit(client: Client, intended: Sequence[float]) -> None:
    called = time.monotonic()
    await client.submit_many([tick.request(at, called) for at in intended])


async def _fill(client: Client, jobs: int, seconds: float) -> Figures:
    """Keep about `jobs` jobs waiting for some seconds; how many a second ended meanwhile."""
    facts = await client.store.facts("default")
    began, submitted, before = time.monotonic(), 0, facts.ready + facts.running
    waiting = before
    while (elapsed := time.monotonic() - began) < seconds:
        if waiting < jobs:
            more = min(_MOST, jobs - waiting)
            await client.submit_many([tick.request(-1.0, -1.0)] * more)
            submitted += more
        facts = await client.store.facts("default")
        waiting = facts.ready + facts.running
        await trio.sleep(0.005)
    ended = before + submitted - waiting
    while waiting:
        facts = await client.store.facts("default")
        waiting = facts.ready + facts.running
        await trio.sleep(0.01)
    return {"rate": ended / elapsed}


if __name__ == "__main__":
    trio.run(main, sys.argv[1])
