"""An application for relay processes under test, and the sinks they hand its endings to."""

import json
import os
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager

import trio

from penstock.engine import Backoff, Dead, JobContext, Module
from penstock.engine.job_ending import JobEnding

module = Module("ledger")


@module.job(queue="one")
async def fine(ctx: JobContext, number: int) -> int:
    return number


@module.job(queue="two", retries=2, backoff=Backoff(base=0.01))
async def again(ctx: JobContext, number: int) -> None:
    if ctx.attempt < 3:
        raise ValueError("not yet")


@module.job(queue="two")
async def doomed(ctx: JobContext, number: int) -> None:
    raise Dead("it is over")


class Ledger:
    """Appends a line for each ending to the file that LEDGER names, in one write."""

    name = "ledger"

    async def take(self, endings: Sequence[JobEnding]) -> None:
        lines = [json.dumps([one.id, one.attempt, one.state, one.event_id, one.job]) for one in endings]
        # It begins with a line feed: a write that a kill has cut short spoils no other.
        file = os.open(os.environ["LEDGER"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        os.write(file, ("\n" + "\n".join(lines) + "\n").encode())
        os.close(file)
        await trio.sleep(0.02)  # written and not acknowledged: the moment in which a death tells twice


ledger = Ledger()


class _Opened:
    """A sink that has to be opened."""

    name = "opened"

    @asynccontextmanager
    async def __call__(self) -> AsyncGenerator[Ledger]:
        yield ledger


opened = _Opened()
