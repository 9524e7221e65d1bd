"""An application that never names a type of the cache; run by processes of tests."""

import trio

from penstock.engine import JobContext, Module

shop = Module("shop")


@shop.job(retries=0)
async def price(ctx: JobContext) -> float:
    """Loaded, then read."""

    async def load() -> float:
        await trio.lowlevel.checkpoint()
        return 1.5

    await ctx.cache.get_or_load("rate", load, ttl=60, type=float)
    return await ctx.cache.get_or_load("rate", load, ttl=60, type=float)
