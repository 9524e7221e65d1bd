"""A worker whose memory is looked at: `… REDIS VARIANT ENDPOINT`. A turn settles `jobs` jobs."""

import gc
import os
import sys
from pathlib import Path

import trio

from benchmarks.drain import drain
from benchmarks.frame.child import Figures, Order, take_turns
from benchmarks.telemetry_variants import watch
from penstock.engine.redis_store import RedisStore
from penstock.engine.transport import Redis


async def main(url: str, variant: str, endpoint: str) -> None:
    """Make turns until nobody asks for another."""
    async with Redis(url) as redis:
        store = RedisStore(redis)
        seams, flush, close = watch(variant, endpoint)

        async def turn(order: Order) -> Figures:
            jobs = int(order["jobs"])
            found = await drain(store, seams(), jobs, flush=flush)
            gc.collect()
            blocks = sys.getallocatedblocks()
            return {"seconds": found.seconds, "resident": resident() / 2**20, "blocks": blocks}

        await take_turns(turn)
        await close()


def resident() -> int:
    """Bytes of memory that this process has (Linux: proc(5), `statm`)."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


if __name__ == "__main__":
    trio.run(main, sys.argv[1], sys.argv[2], sys.argv[3])
