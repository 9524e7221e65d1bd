"""Penstock's turn beside its peers: `… REDIS VARIANT ENDPOINT`. The same as `peers/child.py` does, on Trio.

Its drain rate is held to more than theirs: from the start of the worker until the last end is acknowledged.
"""

import sys
import time

import trio

from benchmarks.drain import drain, submit_bulk
from benchmarks.frame.child import Figures, Order, take_turns
from benchmarks.peers.child import SINGLES
from benchmarks.telemetry_variants import watch
from penstock.engine import Client, JobContext, Module, Registry, WorkerSettings
from penstock.engine.redis_store import RedisStore
from penstock.engine.transport import Redis

peers = Module("peers")


@peers.job
async def noop(ctx: JobContext, number: int, seconds: float) -> None:
    """What peers' handlers do."""
    if seconds:
        await trio.sleep(seconds)


async def main(url: str, variant: str, endpoint: str) -> None:
    """Make turns until nobody asks for another."""
    async with Redis(url) as redis:
        store = RedisStore(redis)
        seams, flush, close = watch(variant, endpoint)
        client = Client(store)

        async def turn(order: Order) -> Figures:
            jobs, seconds = int(order["jobs"]), float(order.get("sleep", 0.0))
            await redis.execute("FLUSHALL")
            began = time.perf_counter()
            for number in range(SINGLES):
                await client.submit(noop, number, seconds)
            single = time.perf_counter() - began
            bulk = await submit_bulk(client, [noop.request(number, seconds) for number in range(jobs)])
            settings = WorkerSettings(concurrency=int(order["at_once"]))
            registry = Registry([peers])
            found = await drain(store, seams(), jobs + SINGLES, registry=registry, settings=settings)
            await trio.to_thread.run_sync(flush)
            return {
                "seconds": found.seconds,
                "drained": (jobs + SINGLES) / found.seconds,
                "submitted": jobs / bulk,
                "one submission": single / SINGLES * 1e6,
                "submitted all": bulk,
                "drained all": found.seconds,
            }

        await take_turns(turn)
        await close()


if __name__ == "__main__":
    trio.run(main, sys.argv[1], sys.argv[2], sys.argv[3])
