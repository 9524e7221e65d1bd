"""How jobs get into Redis: within bounds, and as safe as the submitter asks."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from penstock.engine.errors import ENDINGS, QueueFull
from penstock.engine.job import JobState
from penstock.engine.memory_watch import MemoryWatch
from penstock.engine.store import SLICE, NewJob, Submitted, Terms

Send = Callable[[str, Sequence[Any], Terms], Awaitable[Any]]
"""Sends `submit.lua` with these arguments to a queue's server; returns its reply once the terms are met."""


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
            args = arguments(jobs[start : start + SLICE], terms, most_endings)
            reply = await self._send(queue, args, terms)
            if isinstance(reply, int):
                if reply < 0:
                    raise QueueFull(queue, -reply, most_endings, of=ENDINGS)
                raise QueueFull(queue, reply, terms.most)
            answers += [
                Submitted(suffix.decode(), created == 1, JobState(state.decode()))
                for suffix, created, state in reply
            ]
        return answers


def arguments(jobs: Sequence[NewJob], terms: Terms, most_endings: int) -> list[Any]:
    """What `submit.lua` takes."""
    args: list[Any] = [terms.most, most_endings]
    for job in jobs:
        due = "" if job.due is None else job.due
        args += (job.suffix, job.priority, job.tenant, due, job.delay, job.unique or "", job.body)
    return args
