"""One member of a Kafka group, as the loop sees it."""

from collections import deque
from collections.abc import Mapping, Sequence

import trio
from confluent_kafka import KafkaError, TopicPartition

from penstock.engine.bus.bus import BATCH, Received
from penstock.engine.bus.errors import BusRefused, BusUnavailable
from penstock.engine.bus.kafka_commit import Commit, Place
from penstock.engine.bus.kafka_partition import Partition
from penstock.engine.bus.kafka_poller import Item, Poller
from penstock.engine.bus.kafka_settings import KafkaSettings


class KafkaMember:
    """Implements `Subscription`, and is the `Ear` of its poller.

    Of a partition that was revoked nothing is committed any more: what is in flight goes on, and comes again
    at its new owner. What has come and was not taken is dropped.
    """

    def __init__(self, settings: KafkaSettings, group: str, topics: Sequence[str]) -> None:
        self._settings = settings
        self._topics = topics
        self._waiting: deque[Received] = deque()
        self._news = trio.Event()
        self._failure: BusUnavailable | BusRefused | None = None
        self._mine: dict[Place, Partition] = {}
        self._generation = 0
        self._commits: list[Commit] = []
        self._lag: dict[Place, int] = {}
        self._closed = trio.Event()
        self._poller = Poller(settings, group, topics, self)
        self._poller.start()

    @property
    def waiting(self) -> int:
        """See `Ear.waiting`."""
        return len(self._waiting)

    async def receive(self) -> Sequence[Received]:
        """See `Subscription.receive`."""
        await trio.lowlevel.checkpoint()
        while not self._waiting:
            if self._failure is not None:
                failure = self._failure
                if not self._closed.is_set():
                    self._failure = None  # it may be mended: whoever receives again waits again
                raise failure
            self._news = trio.Event()
            await self._news.wait()
        return [self._waiting.popleft() for _ in range(min(BATCH, len(self._waiting)))]

    async def commit(self, received: Sequence[Received]) -> None:
        """See `Subscription.commit`; the last offset of each partition counts."""
        await trio.lowlevel.checkpoint()
        offsets: dict[Place, int] = {}
        for one in received:
            place, offset, generation = _place_of(one)
            partition = self._mine.get(place)
            if partition is not None and partition.generation == generation:
                offsets[place] = max(offsets.get(place, 0), partition.next_after(offset))
        if offsets:
            await self._commit(Commit(offsets))

    async def lag(self) -> Mapping[str, int]:
        """See `Subscription.lag`: that of its partitions, as old as the last statistics."""
        await trio.lowlevel.checkpoint()
        lag = dict.fromkeys(self._topics, 0)
        for place, behind in self._lag.items():
            if place in self._mine:
                lag[place[0]] += behind
        return lag

    async def aclose(self) -> None:
        """Leave the group, within a bounded time."""
        self._poller.stop()
        # Shielded: a member that is cancelled should not keep its partitions. Bounded: by the settings.
        with trio.move_on_after(self._settings.close_within, shield=True):
            await self._closed.wait()

    async def _commit(self, commit: Commit) -> None:
        self._commits.append(commit)
        try:
            self._poller.commit(commit.offsets)
            with trio.move_on_after(self._settings.give_up_after):
                await commit.done.wait()
        finally:
            self._commits.remove(commit)
        if commit.error is not None:
            raise commit.error
        if not commit.done.is_set():
            raise BusUnavailable(f"Kafka: no answer to a commit within {self._settings.give_up_after:g} s")

    # --- what the poller tells ---------------------------------------------------------------

    def came(self, items: Sequence[Item]) -> None:
        """See `Ear`."""
        for topic, number, offset, event in items:
            partition = self._mine.get((topic, number))
            if partition is not None and partition.is_new(event.id, offset):
                place = (topic, number), offset, partition.generation
                self._waiting.append(Received(event, place))
        if self._waiting:
            self._news.set()

    def assigned(self, places: Sequence[Place]) -> None:
        """See `Ear`."""
        self._generation += 1
        self._mine.update((place, Partition(self._generation)) for place in places)

    def revoked(self, places: Sequence[Place]) -> None:
        """See `Ear`."""
        for place in places:
            self._mine.pop(place, None)
        self._waiting = deque(one for one in self._waiting if _place_of(one)[0] in self._mine)
        for commit in self._commits:
            commit.give_up(places)

    def committed(self, error: KafkaError | None, partitions: Sequence[TopicPartition]) -> None:
        """See `Ear`."""
        for commit in self._commits:
            commit.answered(error, partitions)

    def measured(self, lag: dict[Place, int]) -> None:
        """See `Ear`."""
        self._lag = lag

    def failed(self, error: BusUnavailable | BusRefused) -> None:
        """See `Ear`."""
        self._failure = error
        self._news.set()

    def ended(self) -> None:
        """See `Ear`."""
        self._failure = self._failure or BusUnavailable("Kafka: this subscription has ended")
        for commit in self._commits:
            commit.fail(self._failure)
        self._closed.set()
        self._news.set()


def _place_of(received: Received) -> tuple[Place, int, int]:
    match received.place:
        case ((str() as topic, int() as number), int() as offset, int() as generation):
            return (topic, number), offset, generation
        case other:
            raise ValueError(f"{other!r} is no place in Kafka")
