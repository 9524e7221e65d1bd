"""A bus in memory: the executable specification, and what tests of one's own run on."""

from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager

import anyio
import anyio.lowlevel

from penstock.engine.bus.bus import BATCH, Begin, Event, Received, check_event, check_group, check_topic
from penstock.engine.bus.metrics import DROPPED_UNREAD

MOST = 100_000
"""Events that a topic keeps."""


class _Group:
    """What one group has of one topic: where it stands, and what its members hold."""

    def __init__(self, next_number: int) -> None:
        self.next_number = next_number
        self.returned: list[int] = []
        """Numbers that a member left behind, in order."""
        self.held: dict[int, object] = {}
        """Numbers that were received and not committed, and by whom."""
        self.members: list[object] = []

    def first_needed(self) -> int:
        return min([self.next_number, *self.returned[:1], *self.held])


class _Topic:
    """A log of events by number, some of them gone from its beginning."""

    def __init__(self) -> None:
        self.events: dict[int, Event] = {}
        self.end = 0
        self.ids: set[str] = set()
        self.groups: dict[str, _Group] = {}


class MemoryBus:
    """Implements `Bus` in one process; an id is known as long as its event is kept."""

    system = "penstock"

    def __init__(self, *, most: int = MOST, begin: Begin = "oldest") -> None:
        """`most` events are kept of each topic; the oldest go first, read or not."""
        self._most = most
        self._begin = begin
        self._topics: dict[str, _Topic] = {}
        self._news = anyio.Event()

    async def publish(self, events: Sequence[Event]) -> None:
        """See `Bus.publish`; nothing is ever away here."""
        for event in events:
            check_event(event)
        await anyio.lowlevel.checkpoint()
        for event in events:
            self._append(event)
        self.tell()

    @asynccontextmanager
    async def subscribe(self, group: str, topics: Sequence[str]) -> AsyncGenerator["MemorySubscription"]:
        """See `Bus.subscribe`."""
        check_group(group)
        for topic in topics:
            log = self.topic(check_topic(topic))
            log.groups.setdefault(group, _Group(self._first_of(log)))
        await anyio.lowlevel.checkpoint()
        subscription = MemorySubscription(self, group, topics)
        try:
            yield subscription
        finally:
            subscription.leave()

    def topic(self, name: str) -> _Topic:
        """The log of that name, made when it is first spoken of."""
        return self._topics.setdefault(name, _Topic())

    def tell(self) -> None:
        """Wake whoever waits for events."""
        self._news.set()
        self._news = anyio.Event()

    async def news(self) -> None:
        """Wait until it is worth looking again."""
        await self._news.wait()

    def _first_of(self, log: _Topic) -> int:
        return log.end if self._begin == "newest" else next(iter(log.events), log.end)

    def _append(self, event: Event) -> None:
        log = self.topic(event.topic)
        if event.id in log.ids:
            return
        log.ids.add(event.id)
        log.events[log.end] = event
        log.end += 1
        if len(log.events) > self._most:
            oldest = next(iter(log.events))
            log.ids.discard(log.events.pop(oldest).id)
            if any(group.first_needed() <= oldest for group in log.groups.values()):
                DROPPED_UNREAD.inc(topic=event.topic)


class MemorySubscription:
    """One member of a group."""

    def __init__(self, bus: MemoryBus, group: str, topics: Sequence[str]) -> None:
        self._bus = bus
        self._places = [(topic, bus.topic(topic), bus.topic(topic).groups[group]) for topic in topics]
        for _, _, joined in self._places:
            joined.members.append(self)

    async def receive(self) -> Sequence[Received]:
        """See `Subscription.receive`."""
        await anyio.lowlevel.checkpoint()
        while True:
            for topic, log, group in self._places:
                if taken := self._take(topic, log, group):
                    return taken
            await self._bus.news()

    async def commit(self, received: Sequence[Received]) -> None:
        """See `Subscription.commit`."""
        await anyio.lowlevel.checkpoint()
        places = {one.place for one in received}
        for topic, _, group in self._places:
            for number in [number for number in group.held if (topic, number) in places]:
                if group.held[number] is self:
                    del group.held[number]

    async def lag(self) -> Mapping[str, int]:
        """See `Subscription.lag`; what nobody holds is told by the member that came first."""
        await anyio.lowlevel.checkpoint()
        return {topic: self._share(log, group) for topic, log, group in self._places}

    def leave(self) -> None:
        """Give back what was not committed."""
        for _, _, group in self._places:
            mine = [number for number, holder in group.held.items() if holder is self]
            for number in mine:
                del group.held[number]
            group.returned = sorted([*group.returned, *mine])
            group.members.remove(self)
        self._bus.tell()

    def _share(self, log: _Topic, group: _Group) -> int:
        mine = sum(holder is self for holder in group.held.values())
        if group.members[0] is not self:
            return mine
        return mine + len(group.returned) + sum(number >= group.next_number for number in log.events)

    def _take(self, topic: str, log: _Topic, group: _Group) -> list[Received]:
        taken: list[Received] = []
        while len(taken) < BATCH and (group.returned or group.next_number < log.end):
            if group.returned:
                number = group.returned.pop(0)
            else:
                number = group.next_number
                group.next_number += 1
            if number in log.events:
                group.held[number] = self
                taken.append(Received(log.events[number], (topic, number)))
        return taken
