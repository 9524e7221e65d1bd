"""The jobs of a chaos run: what they do, and how each of them may end."""

import os
import signal
import time

import trio

from penstock.engine import Dead, JobContext, JobState, Module
from penstock.engine.job import Job
from penstock.engine.retry import Backoff

QUEUES = ("swift", "steady", "rough")
MAX_CRASHES = 3
"""Workers that a job may take down with it, or be held by when they die, before it is a dead letter."""

chaos = Module("chaos")
_soon = Backoff(base=0.2, cap=1.0)


@chaos.job(queue="swift")
async def noop(ctx: JobContext) -> None:
    """Do nothing."""


@chaos.job(queue="steady")
async def nap(ctx: JobContext, seconds: float) -> None:
    """Take some time; some take longer than a lease."""
    await trio.sleep(seconds)


@chaos.job(queue="steady")
def work(ctx: JobContext, seconds: float) -> None:
    """Take some time in a thread, which nobody can cancel."""
    time.sleep(seconds)


@chaos.job(queue="rough", retries=5, backoff=_soon)
async def flaky(ctx: JobContext, failures: int) -> int:
    """Fail so many times, then succeed; says which attempt it was."""
    if ctx.attempt <= failures:
        raise RuntimeError(f"attempt {ctx.attempt} of a flaky job")
    return ctx.attempt


@chaos.job(queue="rough", retries=1, backoff=_soon)
async def hopeless(ctx: JobContext) -> None:
    """Fail until no attempt is left."""
    raise RuntimeError("this never works")


@chaos.job(queue="rough")
async def doomed(ctx: JobContext) -> None:
    """A dead letter at the first attempt."""
    raise Dead("on purpose")


@chaos.job(queue="rough")
async def poison(ctx: JobContext) -> None:
    """Take the worker down, as a segmentation fault or the out-of-memory killer would."""
    os.kill(os.getpid(), signal.SIGKILL)


def wrong_end(job: Job, *, cancel_asked: bool, may_expire: bool) -> str | None:
    """Why `job`, which has ended, may not have ended like this; None where it may."""
    match job.state:
        case JobState.CANCELLED:
            return None if cancel_asked else "cancelled, though nobody asked"
        case JobState.EXPIRED:
            return None if may_expire else "expired, though it had all the time in the world"
        case JobState.DEAD if job.crashes >= MAX_CRASHES:
            return None
        case JobState.DEAD:
            attempts = {hopeless.name: 2, doomed.name: 1}.get(job.job)
            if job.attempt == attempts:
                return None
            return f"dead after {job.attempt} attempts and {job.crashes} crashes"
        case _:
            return _wrong_success(job)


def _wrong_success(job: Job) -> str | None:
    if job.job in {hopeless.name, doomed.name, poison.name}:
        return "succeeded, which it cannot"
    attempts = job.args["failures"] + 1 if job.job == flaky.name else 1
    if job.attempt != attempts or (job.job == flaky.name and job.result != attempts):
        return f"succeeded in attempt {job.attempt} with the result {job.result}, expected attempt {attempts}"
    return None
