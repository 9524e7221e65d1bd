"""What the jobs under test write down: when each of them began, ended, or was stopped, and in which process.

The jobs of every system import this, in environments that hold nothing of ours: standard library only.
"""

import os
import time
from collections.abc import Awaitable, Callable
from typing import Literal, NamedTuple, get_args

Event = Literal["start", "end", "stopped"]
STEP = 0.2
"""Seconds: a job works in steps, so that one that was frozen has work left when it thaws."""


class Note(NamedTuple):
    """One event of one job; `at` is seconds on the machine's monotonic clock."""

    at: float
    pid: int
    event: Event
    job: str


async def work(job: str, seconds: float, sleep: Callable[[float], Awaitable[None]]) -> None:
    """Take about so many seconds, leaving notes; `sleep` is the event loop's."""
    _note("start", job)
    try:
        for _ in range(round(seconds / STEP)):
            await sleep(STEP)
    except BaseException:
        _note("stopped", job)
        raise
    _note("end", job)


def read(path: str) -> list[Note]:
    """Every note so far, in order."""
    notes: list[Note] = []
    with open(path, encoding="utf-8") as lines:
        for line in lines:
            at, pid, event, job = line.split()
            notes += [Note(float(at), int(pid), known, job) for known in get_args(Event) if known == event]
    return notes


def _note(event: Event, job: str) -> None:
    line = f"{time.monotonic():.3f} {os.getpid()} {event} {job}\n"
    file = os.open(os.environ["RELIABILITY_NOTES"], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    try:
        os.write(file, line.encode())  # one write: it outlives the process
    finally:
        os.close(file)
