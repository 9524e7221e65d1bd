"""An application whose jobs end in every way that an operator has to tell apart: `support.story:story`."""

import os
import signal

import trio

from penstock.engine import JobContext, Module
from penstock.engine.retry import Backoff

story = Module("story")
SOON = Backoff(base=0.01)


@story.job
async def succeed(ctx: JobContext) -> str:
    """Nothing can go wrong."""
    return "done"


@story.job(retries=1, backoff=SOON)
async def stumble(ctx: JobContext) -> str:
    """Fails once."""
    if ctx.attempt == 1:
        raise ConnectionError("the other side was not there")
    return "done"


@story.job(retries=0)
async def fail(ctx: JobContext) -> None:
    """Fails for good; in a nursery, so inside a group of one."""

    async def child() -> None:
        raise KeyError("width")

    async with trio.open_nursery() as nursery:
        nursery.start_soon(child)


@story.job(retries=0, timeout=0.05)
async def linger(ctx: JobContext) -> None:
    """Takes longer than it may."""
    await trio.sleep_forever()


@story.job
async def die(ctx: JobContext, marker: str) -> str:
    """Takes its worker down, the first time."""
    mark = trio.Path(marker)
    if not await mark.exists():
        await mark.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return "done"
