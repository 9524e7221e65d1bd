"""Two versions of an application; `proofs.older` and `proofs.newer` are what their processes load."""

import trio

from penstock.engine import Backoff, JobContext, Module

QUEUE = "versions"
NEWER = 2
"""The version of the records that the newer one writes, and that only it reads."""
PARKED = 0.1  # seconds, instead of several

older, newer = Module("app"), Module("app")


async def common(ctx: JobContext) -> str:
    """Take some time; says which worker took it."""
    await trio.sleep(0.002)
    return ctx.worker


async def again(ctx: JobContext) -> str:
    """Fail the first time."""
    if ctx.attempt == 1:
        raise ValueError("the first attempt fails")
    return ctx.worker


for application in (older, newer):
    application.job(queue=QUEUE)(common)
    application.job(queue=QUEUE, retries=1, backoff=Backoff(base=0.01))(again)


@newer.job(queue=QUEUE)
async def added(ctx: JobContext) -> str:
    """A job that the older version does not know."""
    return ctx.worker
