"""Where events are kept that a handler could not take: the last few, for people to look at."""

from collections import deque
from collections.abc import Sequence
from typing import Any, Protocol

import anyio.lowlevel
import msgspec

from penstock.engine import keys
from penstock.engine.bus import redis_entry
from penstock.engine.bus.bus import Event
from penstock.engine.bus.errors import translated
from penstock.engine.transport import Link

MOST = 100
"""Events kept: of each topic in Redis, of all in memory."""


class SetAside(msgspec.Struct, frozen=True):
    """An event, the handler that could not take it, and why."""

    event: Event
    handler: str
    reason: str


class Aside(Protocol):
    """A bounded place: what is put in pushes out what is oldest."""

    async def put(self, one: SetAside) -> None:
        """Keep it; raises `BusUnavailable`, `BusRefused`."""
        ...

    async def look(self, topic: str) -> Sequence[SetAside]:
        """What is kept of a topic, the oldest first; raises as `put`."""
        ...


class MemoryAside:
    """Implements `Aside` in this process, for tests and where there is no Redis."""

    def __init__(self, most: int = MOST) -> None:
        self._kept: deque[SetAside] = deque(maxlen=most)

    async def put(self, one: SetAside) -> None:
        """See `Aside.put`."""
        await anyio.lowlevel.checkpoint()
        self._kept.append(one)

    async def look(self, topic: str) -> Sequence[SetAside]:
        """See `Aside.look`."""
        await anyio.lowlevel.checkpoint()
        return [one for one in self._kept if one.event.topic == topic]


class RedisAside:
    """Implements `Aside` for all processes, beside the topic's log."""

    def __init__(self, link: Link, most: int = MOST) -> None:
        self._link = link
        self._most = most

    async def put(self, one: SetAside) -> None:
        """See `Aside.put`; one that is sent twice may stand there twice."""
        fields = zip(redis_entry.FIELDS, redis_entry.arguments(one.event), strict=True)
        words = [word for field in fields for word in field]
        words += ["handler", one.handler, "reason", one.reason]
        key = keys.topic_aside(one.event.topic)
        with translated():
            await self._link.execute("XADD", key, "MAXLEN", self._most, "*", *words)

    async def look(self, topic: str) -> Sequence[SetAside]:
        """See `Aside.look`."""
        with translated():
            entries: Any = await self._link.execute("XRANGE", keys.topic_aside(topic), "-", "+")
        return [_read(topic, fields) for _, fields in entries]


def _read(topic: str, fields: list[bytes]) -> SetAside:
    by_name = dict(zip(fields[::2], fields[1::2], strict=True))
    return SetAside(
        redis_entry.decode(topic, fields),
        by_name.get(b"handler", b"").decode(errors="replace"),
        by_name.get(b"reason", b"").decode(errors="replace"),
    )
