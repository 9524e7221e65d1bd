"""The application that is rolled out: what was there before, and the same with one job more."""

import trio

from penstock.engine import JobContext, Module

QUEUE = "rolled"


async def resize(ctx: JobContext, seconds: float) -> str:
    """Take some time; says which worker it was."""
    await trio.sleep(seconds)
    return ctx.worker


old = Module("shop")
old.job(queue=QUEUE)(resize)

new = Module("shop")
new.job(queue=QUEUE)(resize)


@new.job(queue=QUEUE)
async def stamp(ctx: JobContext, number: int) -> str:
    """Be unknown to the older version; says which worker it was."""
    return ctx.worker
