"""A commit that waits for its answer, and what the answer means for it."""

from collections.abc import Mapping, Sequence

import trio
from confluent_kafka import KafkaError, TopicPartition

from penstock.engine.bus.errors import BusRefused, BusUnavailable
from penstock.engine.bus.kafka_errors import STALE, exception

Place = tuple[str, int]
"""A topic and the number of one of its partitions."""


class Commit:
    """Offsets by partition; done when each is committed, given up or has failed."""

    def __init__(self, offsets: Mapping[Place, int]) -> None:
        self.offsets = [TopicPartition(topic, number, offset) for (topic, number), offset in offsets.items()]
        self.error: BusUnavailable | BusRefused | None = None
        self.done = trio.Event()
        self._missing = dict(offsets)

    def answered(self, error: KafkaError | None, partitions: Sequence[TopicPartition]) -> None:
        """Take an answer, which may be to another commit: a later one answers for the earlier."""
        for one in partitions:
            wanted = self._missing.get((one.topic, one.partition))
            if wanted is None or one.offset < wanted:
                continue
            del self._missing[one.topic, one.partition]
            trouble = one.error or error
            if trouble is not None:
                failure = exception(trouble)  # counts it, too late or not
                if trouble.name() not in STALE:
                    self.error = self.error or failure
        if not self._missing:
            self.done.set()

    def fail(self, error: BusUnavailable | BusRefused) -> None:
        """There will be no answer."""
        self.error = self.error or error
        self.done.set()

    def give_up(self, partitions: Sequence[Place]) -> None:
        """These are another member's now: whatever is not committed comes again there."""
        for place in partitions:
            self._missing.pop(place, None)
        if not self._missing:
            self.done.set()
