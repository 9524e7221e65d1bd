"""Three buses behind one harness: memory, a real Valkey, and Kafka, mocked or real."""

import itertools
import uuid
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import msgspec
import trio

from penstock.engine.bus import Bus, Event, MemoryBus, Received, RedisBus, Subscription
from penstock.engine.bus.kafka import KafkaBus
from penstock.engine.transport import open_link

WITHIN = 30.0
"""Seconds that a test waits for anything: much, because the machine may be busy."""
SILENCE = 0.6
"""Seconds after which a member of a Redis group counts as dead, in tests."""

QUICK = {"session.timeout.ms": 3500, "heartbeat.interval.ms": 400}
"""The mock cluster lets a group that has lost a member wait for its session's timeout, but for a second; and
its first member waits for three seconds, which have to be within it."""


class BusUnderTest:
    """A bus, a topic that nobody has used, and ways to take its backend away."""

    def __init__(self, bus: Bus, *, pause: Callable[[], None] | None, resume: Callable[[], None]) -> None:
        self.bus = bus
        self.topic = f"t-{uuid.uuid4().hex[:12]}"
        self.pause = pause
        """None where the backend cannot be away."""
        self.resume = resume
        self._numbers = itertools.count()

    def event(self, id: str | None = None, **fields: Any) -> Event:  # noqa: A002 - as in `Event`
        """An event of this topic."""
        number = next(self._numbers)
        given: dict[str, Any] = {
            "topic": self.topic,
            "id": id or f"e{number}",
            "data": b"%d" % number,
            "time": 1.5,
        }
        return Event(**(given | fields))

    async def publish(self, *ids: str, **fields: Any) -> None:
        """Publish events of these ids."""
        with trio.fail_after(WITHIN):
            await self.bus.publish([self.event(name, **fields) for name in ids])

    def member(self, group: str = "g") -> AbstractAsyncContextManager[Subscription]:
        """One more member of `group`."""
        return self.bus.subscribe(group, [self.topic])


async def receive(subscription: Subscription, count: int) -> list[Received]:
    """The next `count` events, or more; fails after a while."""
    received: list[Received] = []
    with trio.fail_after(WITHIN):
        while len(received) < count:
            received += await subscription.receive()
    return received


def ids(received: Sequence[Received]) -> list[str]:
    """Their ids in order."""
    return [one.event.id for one in received]


@asynccontextmanager
async def memory_bus() -> AsyncGenerator[BusUnderTest]:
    """The executable specification."""
    yield BusUnderTest(MemoryBus(), pause=None, resume=lambda: None)


@asynccontextmanager
async def redis_bus(server: Any) -> AsyncGenerator[BusUnderTest]:
    """Streams on a real server."""
    link = open_link(server.url)
    try:
        yield BusUnderTest(RedisBus(link, silence=SILENCE), pause=server.pause, resume=server.resume)
    finally:
        server.resume()
        await link.aclose()


@asynccontextmanager
async def kafka_bus(brokers: Any) -> AsyncGenerator[BusUnderTest]:
    """Brokers that somebody runs: a `MockKafka`, a `RealKafka`."""
    settings = msgspec.structs.replace(brokers.settings, statistics_every=0.1, options=QUICK)
    try:
        async with KafkaBus.open(settings) as bus:
            rig = BusUnderTest(bus, pause=brokers.pause, resume=brokers.resume)
            await trio.to_thread.run_sync(brokers.make_topic, rig.topic)
            yield rig
    finally:
        brokers.resume()
