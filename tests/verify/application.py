"""What the processes serve: the journey that touches everything, and jobs that go wrong."""

import os
import time
from pathlib import Path

import msgspec
import trio

from penstock.engine import Backoff, JobContext, Module, Objective
from support.journey import journey

verified = Module("verified", objectives={"default": Objective(wait=30.0)})
heard = verified.counter("journeys_heard", "Journeys whose end was heard of.")


class Ended(msgspec.Struct):
    """A journey has ended."""

    who: str
    answer: int


@verified.on("journeys.ended")
async def hear(ctx: JobContext, event: Ended) -> str:
    """Count it."""
    heard.inc()
    return event.who


@verified.job(queue="failing", retries=1, backoff=Backoff(base=0.2, jitter=False))
async def fail(ctx: JobContext, why: str) -> None:
    """Fail, each time."""
    raise LookupError(why)


@verified.job(queue="held", retries=3)
async def hold(ctx: JobContext, folder: str) -> int:
    """Say in a file which process this is, and wait there for another file; for half a minute at most."""
    place = Path(folder)
    (place / f"attempt-{time.time_ns()}").write_text(str(os.getpid()))
    with trio.fail_after(30):
        while not (place / "go").exists():  # noqa: ASYNC110 - a file tells nobody
            await trio.sleep(0.05)
    return ctx.attempt


@verified.job(queue="ticks")
async def tick(ctx: JobContext, number: int) -> int:
    """Almost nothing."""
    return number


modules = [journey, verified]
