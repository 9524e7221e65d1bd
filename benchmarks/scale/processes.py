"""1, 2 and 4 worker processes on one queue: what all of them drain together."""

import sys
from contextlib import AsyncExitStack

import trio

from benchmarks.drain import noop, submit_bulk
from benchmarks.frame.bench import Bench, Steps
from benchmarks.frame.player import Figures, Player, player
from benchmarks.frame.server import benchmark_server
from penstock.engine import Client
from penstock.engine.redis_store import RedisStore
from penstock.engine.transport import Redis

CURVE = "worker processes"
PROCESSES = (1, 2, 4)
JOBS, FEW_JOBS = 15_000, 2_000


async def measure(bench: Bench, steps: Steps) -> None:
    """Crews of different sizes take turns on one server."""
    jobs = FEW_JOBS if bench.quick else JOBS
    found: dict[int, list[float]] = {count: [] for count in PROCESSES}
    async with AsyncExitStack() as stack:
        url = await stack.enter_async_context(benchmark_server())
        redis = await stack.enter_async_context(Redis(url))
        command = [sys.executable, "-m", "benchmarks.scale.crew_child", url]
        crew = [await stack.enter_async_context(player(command)) for _ in range(max(PROCESSES))]
        client = Client(RedisStore(redis))
        for number in range(bench.rounds + 1):
            for count in PROCESSES[:: 1 if number % 2 else -1]:
                await redis.execute("FLUSHALL")
                await submit_bulk(client, [noop.request(n) for n in range(jobs)])
                rate = await _drain(crew[:count])
                if number:  # the first round is the warm-up
                    found[count].append(rate)
            steps.done(CURVE)
    for count, rates in found.items():
        bench.add("drained", "jobs/s", rates, curve=CURVE, x=count)


async def _drain(crew: list[Player]) -> float:
    """Jobs a second, from the first settlement of anybody to the last."""
    shares: list[Figures] = []

    async def work(one: Player) -> None:
        shares.append(await one.take())

    async with trio.open_nursery() as nursery:
        for one in crew:
            nursery.start_soon(work, one)
    busy = [share for share in shares if share["jobs"]]
    seconds = max(share["last"] for share in busy) - min(share["first"] for share in busy)
    return sum(share["jobs"] for share in busy) / max(seconds, 1e-6)
