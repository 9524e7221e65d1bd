"""Turns of the hot path, sampled: `… REDIS VARIANT ENDPOINT`. Figures are µs a job."""

import sys
from collections import Counter

import trio

from benchmarks.costs.purposes import THREADS
from benchmarks.costs.sampler import Sampler
from benchmarks.drain import drain, submit_singly
from benchmarks.frame.child import Figures, Order, take_turns
from benchmarks.telemetry_variants import requested_by_somebody, watch
from penstock.engine import Client
from penstock.engine.redis_store import RedisStore
from penstock.engine.transport import Redis

MOST_FUNCTIONS = 40


async def main(url: str, variant: str, endpoint: str) -> None:
    """Make turns until nobody asks for another."""
    async with Redis(url) as redis:
        store = RedisStore(redis)
        seams, flush, close = watch(variant, endpoint)
        client = Client(store, requested_by_somebody(variant))

        async def turn(order: Order) -> Figures:
            jobs = int(order["jobs"])
            await redis.execute("FLUSHALL")
            await submit_singly(client, jobs)
            sampler = Sampler()
            with sampler.sampling():
                found = await drain(store, seams(), jobs, flush=flush)
            micro = sampler.main_thread / jobs * 1e6
            return {
                "seconds": found.seconds,
                "server": found.server_cpu / jobs * 1e6,
                **_shares("for", sampler.purposes, micro),
                f"for {THREADS}": (sampler.process - sampler.main_thread) / jobs * 1e6,
                **_shares("in", sampler.functions, micro, MOST_FUNCTIONS),
            }

        await take_turns(turn)
        await close()


def _shares(word: str, seen: Counter[str], micro: float, most: int | None = None) -> dict[str, float]:
    samples = max(1, seen.total())
    return {f"{word} {name}": micro * count / samples for name, count in seen.most_common(most)}


if __name__ == "__main__":
    trio.run(main, sys.argv[1], sys.argv[2], sys.argv[3])
