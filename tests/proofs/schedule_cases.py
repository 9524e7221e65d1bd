"""One call of every script about schedules, for the table in `cases`."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from conformance.test_twice import Case, Send
from penstock.engine.periodic_store import Declared, Firing, Steering
from support.stores import START, Hand, QueueUnderTest, new_job

NAME, MINUTE = "periodic.tidy", 60_000


def declared(text: bytes = b"{}") -> list[Declared]:
    """One schedule."""
    return [Declared(name=NAME, next=START + MINUTE, text=text)]


def attending(queue: QueueUnderTest, text: bytes = b"{}") -> Send:
    """A worker begins with it."""
    return lambda: queue.store.schedules.attend(queue.name, declared(text), new=True)


def firing(queue: QueueUnderTest, *, job: bool = True, unique: str | None = None) -> Send:
    """A worker fires the moment that has just come."""
    moment = Firing(name=NAME, moment=queue.now, next=queue.now + MINUTE, worker="w1")
    stored = new_job("x", unique=unique) if job else None
    return lambda: queue.store.schedules.fire(queue.name, moment, stored)


def steering(queue: QueueUnderTest, what: Steering) -> Send:
    """An operator steers it."""
    return lambda: queue.store.schedules.steer(queue.name, NAME, what)


async def known(queue: QueueUnderTest) -> None:
    """It was declared a minute ago."""
    await attending(queue)()
    await queue.advance(MINUTE)


async def attend_new(queue: QueueUnderTest, worker: Hand) -> Send:
    return attending(queue)


async def attend_changed(queue: QueueUnderTest, worker: Hand) -> Send:
    await known(queue)
    return attending(queue, b'{"when":"@daily"}')


async def fire(queue: QueueUnderTest, worker: Hand) -> Send:
    await known(queue)
    return firing(queue)


async def fire_without_a_job(queue: QueueUnderTest, worker: Hand) -> Send:
    await known(queue)
    return firing(queue, job=False)


async def fire_under_a_key_that_is_held(queue: QueueUnderTest, worker: Hand) -> Send:
    await known(queue)
    await queue.submit("holder", unique="u")
    return firing(queue, unique="u")


async def pause(queue: QueueUnderTest, worker: Hand) -> Send:
    await known(queue)
    return steering(queue, "pause")


async def resume(queue: QueueUnderTest, worker: Hand) -> Send:
    await known(queue)
    await steering(queue, "pause")()
    return steering(queue, "resume")


async def forget(queue: QueueUnderTest, worker: Hand) -> Send:
    await known(queue)
    return steering(queue, "forget")


CASES: Mapping[str, Sequence[Case]] = {
    "attend": [attend_new, attend_changed],
    "fire": [fire, fire_without_a_job, fire_under_a_key_that_is_held],
    "steer": [pause, resume, forget],
}
"""By the name of the script."""

SECOND_ANSWERS: Mapping[Case, Callable[[QueueUnderTest], Any]] = {
    pause: lambda _queue: False,
    resume: lambda _queue: False,
    forget: lambda _queue: None,
}
"""What those say that tell whether they changed something, when it had been done before."""
