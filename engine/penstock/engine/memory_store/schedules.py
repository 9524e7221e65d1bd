"""Where schedules stand in the memory store: the steps, and the door to them."""

from collections.abc import Callable, Sequence

import msgspec

from penstock.engine.memory_store import submitting
from penstock.engine.memory_store.outbox import Step
from penstock.engine.memory_store.state import QueueState
from penstock.engine.periodic_store import (
    FORGOTTEN_AFTER,
    SEEN_AGAIN,
    Attendance,
    Declared,
    Fired,
    Firing,
    Standing,
    Steering,
)
from penstock.engine.store import PLAIN, NewJob, Terms


class MemorySchedules:
    """Implements `penstock.engine.periodic_store.Schedules`."""

    def __init__(self, step: Step, remember: Callable[[str], None]) -> None:
        self._step = step
        self._remember = remember

    async def attend(self, queue: str, declared: Sequence[Declared] = (), *, new: bool = False) -> Attendance:
        return await self._step(queue, attend, declared, new=new)

    async def fire(
        self, queue: str, firing: Firing, job: NewJob | None = None, terms: Terms | None = None
    ) -> Fired:
        if job is not None:
            self._remember(queue)
        return await self._step(queue, fire, firing, job, terms if terms is not None else PLAIN)

    async def steer(self, queue: str, name: str, what: Steering) -> bool | None:
        return await self._step(queue, steer, name, what)


def attend(queue: QueueState, now: int, declared: Sequence[Declared], *, new: bool) -> Attendance:
    """Note who is attended to; tell where all stand."""
    for one in declared:
        _attend_one(queue, now, one, new)
    if new:
        for name, standing in tuple(queue.schedules.items()):
            if now - standing.seen >= FORGOTTEN_AFTER:
                del queue.schedules[name]
    return Attendance(now, dict(sorted(queue.schedules.items())))


def _attend_one(queue: QueueState, now: int, one: Declared, new: bool) -> None:
    standing = queue.schedules.get(one.name)
    if standing is None:
        queue.schedules[one.name] = Standing(last=one.last or now, next=one.next, seen=now, text=one.text)
    elif new and standing.text != one.text:
        queue.schedules[one.name] = msgspec.structs.replace(
            standing, last=max(standing.last, now), next=one.next, seen=now, text=one.text
        )
    elif now - standing.seen >= SEEN_AGAIN:
        queue.schedules[one.name] = msgspec.structs.replace(standing, seen=now)


def fire(queue: QueueState, now: int, firing: Firing, job: NewJob | None, terms: Terms) -> Fired:
    """Move on and store, or neither."""
    standing = queue.schedules.get(firing.name)
    if standing is None:
        return Fired("unknown", now)
    if (standing.last, standing.by) == (firing.moment, firing.worker):
        return Fired("fired", now, standing.job, standing.job == job.suffix) if job else Fired("fired", now)
    if standing.last >= firing.moment:
        return Fired("past", now)
    if standing.paused:
        return Fired("paused", now)
    if now < firing.moment:
        return Fired("early", now)
    suffix, created = "", False
    if job is not None:
        [answer] = submitting.submit(queue, now, [job], terms)
        suffix, created = answer.suffix, answer.created
    queue.schedules[firing.name] = msgspec.structs.replace(
        standing, last=firing.moment, next=firing.next, by=firing.worker, job=suffix or standing.job
    )
    return Fired("fired", now, suffix, created)


def steer(queue: QueueState, now: int, name: str, what: Steering) -> bool | None:
    """Hold, let go on, or forget."""
    standing = queue.schedules.get(name)
    if standing is None:
        return None
    if what == "forget":
        del queue.schedules[name]
        return True
    paused = what == "pause"
    if standing.paused == paused:
        return False
    last = standing.last if paused else max(standing.last, now)
    queue.schedules[name] = msgspec.structs.replace(standing, last=last, paused=paused)
    return True
