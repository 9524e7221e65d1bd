"""An application for processes under test: `support.application:trial`."""

import json
from contextlib import suppress

import structlog
import trio

from penstock.engine import Dead, JobContext, Module

trial = Module("trial")
both = [trial, Module("spare")]
nothing: list[Module] = []
number = 7


@trial.job
async def add(ctx: JobContext, left: int, right: int = 0) -> int:
    """The sum; also leaves a line in the log."""
    structlog.get_logger("trial").info("added", left=left, right=right)
    return left + right


@trial.job
async def refuse(ctx: JobContext, why: str) -> None:
    """A dead letter."""
    raise Dead(why)


@trial.job(queue="bulk")
async def nap(ctx: JobContext, seconds: float) -> str:
    """Take some time; says which worker took it."""
    await trio.sleep(seconds)
    return ctx.worker


@trial.job(queue="gated")
async def gated(ctx: JobContext, gate: str) -> str:
    """Report to the test's gate and wait there; says which worker passed."""
    async with await trio.open_unix_socket(gate) as stream:
        with suppress(trio.BrokenResourceError):  # the gate was taken down
            await stream.send_all(json.dumps([ctx.id, ctx.worker]).encode() + b"\n")
            await stream.receive_some(1)
    return ctx.worker
