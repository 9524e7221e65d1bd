"""Turns of the hot path: submit no-op jobs, drain them, export all: `… REDIS VARIANT ENDPOINT`.

The server starts each turn empty. An order says how many `jobs`, and whether they are submitted `singly`.
"""

import sys

import trio

from benchmarks.drain import bench, drain, noop, submit_bulk, submit_singly
from benchmarks.frame.child import Figures, Order, take_turns
from benchmarks.telemetry_variants import requested_by_somebody, watch
from penstock.engine import Client, Registry
from penstock.engine.redis_store import RedisStore
from penstock.engine.transport import Address, Redis


async def main(url: str, variant: str, endpoint: str) -> None:
    """Make turns until nobody asks for another."""
    async with Redis(Address.parse(url)) as redis:
        store = RedisStore(redis)
        seams, flush, close = watch(variant, endpoint)
        client = Client(store, requested_by_somebody(variant))

        async def turn(order: Order) -> Figures:
            jobs, figures = int(order["jobs"]), dict[str, float]()
            await redis.execute("FLUSHALL")
            if order.get("singly"):
                await submit_singly(client, jobs)
            else:
                requests = [noop.request(number) for number in range(jobs)]
                figures["submitted"] = jobs / await submit_bulk(client, requests)
            found = await drain(store, seams(), jobs, flush=flush, registry=Registry([bench]))
            return figures | {
                "seconds": found.seconds,
                "drained": jobs / found.seconds,
                "exported": jobs / found.exported,
                "CPU": found.cpu / jobs * 1e6,
                "server CPU": found.server_cpu / jobs * 1e6,
                "commands": found.commands / jobs,
                "round trips": found.round_trips / jobs,
                "sent": found.sent / jobs,
            }

        await take_turns(turn)
        await close()


if __name__ == "__main__":
    trio.run(main, sys.argv[1], sys.argv[2], sys.argv[3])
