"""A worker's memory over a million jobs, and what a waiting job takes in Redis."""

from contextlib import AsyncExitStack

from benchmarks.contestants import child
from benchmarks.drain import info_of, noop, submit_bulk
from benchmarks.frame.bench import Bench
from benchmarks.frame.player import Figures, player
from benchmarks.frame.server import benchmark_server
from benchmarks.sink import sink
from benchmarks.telemetry_variants import ALL, OFF
from penstock.engine import Client
from penstock.engine.redis_store import RedisStore
from penstock.engine.transport import Redis

TURN = 25_000
WAITING = 100_000


async def run(bench: Bench, jobs: int) -> None:
    """One worker, watched or not, and turn after turn the same work; the server forgets what has ended."""
    turn = TURN if not bench.quick else 1_000
    turns = max(4, (jobs if not bench.quick else 10_000) // turn)
    async with benchmark_server(fsync="none") as url, Redis(url) as redis:
        client = Client(RedisStore(redis))
        await _waiting(bench, redis, client)
        with sink() as endpoint, bench.steps(2 * turns) as steps:
            for variant in (OFF, ALL):
                found: list[Figures] = []
                async with AsyncExitStack() as stack:
                    command = child("benchmarks.memory_child", variant, endpoint).command
                    words = [word.replace("{redis}", url) for word in command]
                    worker = await stack.enter_async_context(player(words))
                    for _ in range(turns):
                        await redis.execute("FLUSHALL")
                        await submit_bulk(client, [noop.request(number) for number in range(turn)])
                        found.append(await worker.take(jobs=turn))
                        steps.done(f"{variant}: {found[-1]['resident']:.1f} MiB")
                _keep(bench, variant, found, turn)
    bench.notes.append(f"looked at every {turn:,} jobs; growth is from the first quarter of them to the last")


def _keep(bench: Bench, variant: str, found: list[Figures], turn: int) -> None:
    """What it had after each turn, and by how much the last quarter is above the first."""
    quarter = len(found) // 4
    for what, unit in (("resident", "MiB"), ("blocks", "Python objects")):
        values = [figures[what] for figures in found]
        bench.add(what, unit, values, variant, jobs=turn * len(found))
        first, last = sum(values[:quarter]) / quarter, sum(values[-quarter:]) / quarter
        bench.add(f"{what}, growth", "%", [100 * (last / first - 1)], variant, jobs=turn * len(found))


async def _waiting(bench: Bench, redis: Redis, client: Client) -> None:
    jobs = WAITING // 10 if bench.quick else WAITING
    await client.submit(noop, 0)
    before = await info_of(redis, "memory", "used_memory")
    await submit_bulk(client, [noop.request(number) for number in range(jobs)])
    taken = await info_of(redis, "memory", "used_memory") - before
    bench.add("a waiting job in Redis", "bytes", [taken / jobs], jobs=jobs)
