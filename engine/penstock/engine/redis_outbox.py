"""What Redis keeps for relays: a stream with one consumer group a sink. See `penstock.engine.outbox`."""

from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any

from penstock.engine import keys
from penstock.engine.errors import StoreFull
from penstock.engine.outbox import Backlog, Entry, SinkBacklog, Taken
from penstock.engine.transport import Connection, Link, Script

_GRACE = 5.0
"""Seconds past the end of its wait after which a connection that has said nothing counts as lost."""


class RedisOutbox:
    """Implements `penstock.engine.outbox.Outbox`; each method sends one script."""

    def __init__(
        self, redis: Link, scripts: Mapping[str, Script], remember: Callable[[str], Awaitable[None]]
    ) -> None:
        """`remember` puts a queue on the list of those that operators see."""
        self._redis = redis
        self._scripts = scripts
        self._remember = remember

    async def _call(self, script: str, queue: str, *args: Any) -> Any:
        # Any: the shape of each reply is written above its script.
        return await self._redis.script(self._scripts[script], (keys.root(queue),), args)

    async def enlist(self, queue: str, sink: str, most: int) -> bool:
        with suppress(StoreFull):  # a full server needs relays; the next submission lists the queue
            await self._remember(queue)
        new: int = await self._call("enlist", queue, sink, most)
        return new == 1

    async def withdraw(self, queue: str, sink: str) -> int | None:
        left: int = await self._call("withdraw", queue, sink)
        return None if left < 0 else left

    async def take(self, queue: str, sink: str, relay: str, count: int, silence: int) -> Taken | None:
        reply = await self._call("take", queue, sink, relay, count, silence)
        if reply is None:
            return None
        now, behind, since, last, flat = reply
        fields = zip(flat[::4], flat[1::4], flat[2::4], flat[3::4], strict=True)
        entries = [Entry(entry.decode(), job.decode(), int(at), record) for entry, job, at, record in fields]
        return Taken(now, behind, _time(since), last.decode(), entries)

    async def acknowledge(self, queue: str, sink: str, ids: Sequence[str]) -> int:
        done: int = await self._call("acknowledge", queue, sink, *ids) if ids else 0
        return done

    async def set_aside(self, queue: str, sink: str, ids: Sequence[str]) -> int:
        done: int = await self._call("set_aside", queue, sink, *ids)
        return done

    async def retire(self, queue: str, sink: str, relay: str) -> int:
        left: int = await self._call("retire", queue, sink, relay)
        return left

    async def backlog(self, queue: str) -> Backlog:
        now, most, aside, flat = await self._call("backlog", queue)
        sinks = [
            SinkBacklog(name.decode(), behind, _time(since), relays)
            for name, behind, since, relays in zip(flat[::4], flat[1::4], flat[2::4], flat[3::4], strict=True)
        ]
        return Backlog(now, most, aside, sorted(sinks, key=lambda sink: sink.sink))

    @asynccontextmanager
    async def news(self, queue: str) -> AsyncGenerator["RedisNews"]:
        stream = keys.outbox(queue)
        async with self._redis.reserve(stream) as connection:
            yield RedisNews(connection, stream)


class RedisNews:
    """Waits on a connection of its own, which blocks and does not ask again and again."""

    def __init__(self, connection: Connection, stream: str) -> None:
        self._connection = connection
        self._stream = stream

    async def wait(self, after: str, seconds: float) -> None:
        """See `penstock.engine.outbox.News`."""
        milliseconds = max(1, round(seconds * 1000))  # 0 would be for ever
        await self._connection.execute(
            *("XREAD", "COUNT", 1, "BLOCK", milliseconds, "STREAMS", self._stream, after),
            timeout=seconds + _GRACE,
        )


def _time(milliseconds: int) -> int | None:
    return None if milliseconds < 0 else milliseconds
