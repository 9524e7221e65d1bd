"""The bus on Redis streams: one stream a topic, one of its consumer groups a group."""

import os
import random
import socket
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any

import anyio

from penstock.engine import keys
from penstock.engine.bus import redis_entry, redis_scripts
from penstock.engine.bus.bus import BATCH, Begin, Event, Received, check_event, check_group, check_topic
from penstock.engine.bus.errors import BusRefused, BusUnavailable, translated
from penstock.engine.bus.metrics import DROPPED_UNREAD
from penstock.engine.bus.redis_member import RedisMember
from penstock.engine.retry import Backoff
from penstock.engine.transport import Link

LEAVE_SECONDS = 1.0
"""How long a good-bye may take; without one the others find out after `silence`."""
_BACKOFF = Backoff(base=0.1, cap=2.0)


class RedisBus:
    """Implements `Bus` on a link, which stays the caller's to close; on Trio and on asyncio.

    An id is known again for `window` seconds, and among the last `most_ids` of its topic. Past `keep`
    events a topic gives up those that every group has committed; past `most` the oldest, counted where they
    were unread. A member that says nothing for `silence` seconds loses what it holds to the others: so it
    receives, or asks for its `lag`, more often than that.
    """

    system = "redis"

    def __init__(
        self,
        link: Link,
        *,
        window: float = 600.0,
        most_ids: int = 100_000,
        keep: int = 1_000,
        most: int = 100_000,
        silence: float = 30.0,
        begin: Begin = "oldest",
    ) -> None:
        """See above; `begin` is where a group begins that is new to the server."""
        self._link = link
        self._bounds = (round(window * 1000), most_ids, keep, most)
        self._silence = silence
        self._begin = begin

    async def publish(self, events: Sequence[Event]) -> None:
        """See `Bus.publish`: `BATCH` events of a topic are one step, all of them or none."""
        by_topic: dict[str, list[Event]] = {}
        for event in events:
            check_event(event)
            by_topic.setdefault(event.topic, []).append(event)
        for topic, of_topic in by_topic.items():
            for start in range(0, len(of_topic), BATCH):
                await self._append(topic, of_topic[start : start + BATCH])

    @asynccontextmanager
    async def subscribe(self, group: str, topics: Sequence[str]) -> AsyncGenerator["RedisSubscription"]:
        """See `Bus.subscribe`; raises `BusUnavailable` and `BusRefused` besides."""
        check_group(group)
        member = f"{socket.gethostname()}-{os.getpid()}-{random.getrandbits(32):08x}"
        members = [
            RedisMember(self._link, check_topic(topic), group, member, self._silence) for topic in topics
        ]
        for topic in topics:
            await self._create(topic, group)
        try:
            yield RedisSubscription(members, topics)
        finally:
            # Shielded: what a cancelled member holds should not wait for `silence`. Bounded: nor should we.
            with anyio.move_on_after(LEAVE_SECONDS, shield=True):
                for one in members:
                    await one.hang_up()
                    with suppress(BusUnavailable, BusRefused):
                        await one.leave()

    async def _append(self, topic: str, events: Sequence[Event]) -> None:
        args = [word for event in events for word in redis_entry.arguments(event)]
        places = (keys.topic_log(topic), keys.topic_ids(topic))
        with translated():
            dropped: Any = await self._link.script(redis_scripts.PUBLISH, places, (*self._bounds, *args))
        if dropped:
            DROPPED_UNREAD.inc(dropped, topic=topic)

    async def _create(self, topic: str, group: str) -> None:
        args = (group, "0" if self._begin == "oldest" else "$")
        with translated():
            await self._link.script(redis_scripts.JOIN, (keys.topic_log(topic),), args)


class RedisSubscription:
    """Implements `Subscription`; of several topics the first named goes first."""

    def __init__(self, members: Sequence[RedisMember], topics: Sequence[str]) -> None:
        self._members = dict(zip(topics, members, strict=True))
        self._rng = random.Random()

    async def receive(self) -> Sequence[Received]:
        """See `Subscription.receive`."""
        failures = 0
        while True:
            try:
                for member in self._members.values():
                    if taken := await member.take():
                        return taken
                await self._wait()
                failures = 0
            except BusUnavailable:
                failures += 1
                await anyio.sleep(_BACKOFF.delay(failures, self._rng))

    async def commit(self, received: Sequence[Received]) -> None:
        """See `Subscription.commit`."""
        for member in self._members.values():
            await member.commit(received)

    async def lag(self) -> Mapping[str, int]:
        """See `Subscription.lag`; it also tells the others that this member lives."""
        return {topic: await member.share() for topic, member in self._members.items()}

    async def _wait(self) -> None:
        """Wait at all logs until one has news; each on a connection of its own."""
        members = list(self._members.values())
        if len(members) == 1:
            return await members[0].wait()
        troubles: list[BusUnavailable | BusRefused] = []

        async def wait_at(member: RedisMember) -> None:
            try:
                await member.wait()
            except (BusUnavailable, BusRefused) as error:
                troubles.append(error)
            tasks.cancel_scope.cancel()

        async with anyio.create_task_group() as tasks:
            for member in members:
                tasks.start_soon(wait_at, member)
        if troubles:
            raise troubles[0]
        return None
