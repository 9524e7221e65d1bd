"""How jobs get into Redis: within bounds, and as safe as the submitter asks."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from penstock.engine.errors import ENDINGS, QueueFull
from penstock.engine.job import JobState
from penstock.engine.memory_watch import MemoryWatch
from penstock.engine.store import SLICE, NewJob, Submitted, Terms

Send = Callable[[str, str, Sequence[Any], Terms], Awaitable[Any]]
"""Sends a script, by name, with its arguments to a queue's server; returns its reply once terms are met."""


class Intake:
    """The submitting half of `RedisStore`."""

    def __init__(self, send: Send, watch: MemoryWatch) -> None:
        self._send = send
        self._watch = watch

    async def submit(self, queue: str, jobs: Sequence[NewJob], terms: Terms) -> list[Submitted]:
        """Store jobs, a slice at a time; see `penstock.engine.store.Store.submit`."""
        answers: list[Submitted] = []
        for start in range(0, len(jobs), SLICE):
            most_endings = await self._watch.check(queue)
            some = jobs[start : start + SLICE]
            reply = await self._send(script_for(some), queue, arguments(some, terms, most_endings), terms)
            if isinstance(reply, int):
                if reply < 0:
                    raise QueueFull(queue, -reply, most_endings, of=ENDINGS)
                raise QueueFull(queue, reply, terms.most)
            answers += [
                Submitted(suffix.decode(), created == 1, JobState(state.decode()))
                for suffix, created, state in reply
            ]
        return answers


def script_for(jobs: Sequence[NewJob]) -> str:
    """The name of the one that stores them: most submissions are of one job, which takes the server less."""
    return "submit_one" if len(jobs) == 1 and not jobs[0].unique else "submit"


def arguments(jobs: Sequence[NewJob], terms: Terms, most_endings: int) -> list[Any]:
    """What it takes."""
    args: list[Any] = [terms.most, most_endings]
    for job in jobs:
        due = "" if job.due is None else job.due
        args += (job.suffix, job.priority, job.tenant, due, job.delay, job.unique or "", job.body)
    return args
