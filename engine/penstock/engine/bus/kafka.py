"""The bus on Kafka, for Trio. It needs the extra `kafka`."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager

from penstock.engine.bus.bus import Event, check_event, check_group, check_topic
from penstock.engine.errors import ConfigurationError

try:
    from penstock.engine.bus.kafka_member import KafkaMember
    from penstock.engine.bus.kafka_producer import KafkaPublisher
    from penstock.engine.bus.kafka_settings import KafkaSettings
except ModuleNotFoundError as error:
    raise ConfigurationError(
        "the Kafka bus needs the extra `kafka`: pip install 'penstock[kafka]' brings confluent-kafka"
    ) from error

__all__ = ["KafkaBus", "KafkaSettings"]


class KafkaBus:
    """Implements `Bus`. Topics, their partitions and how long they keep events are the brokers' business.

    An event that is published twice stands there twice; in the same partition, where each member passes over
    ids that it has seen, of the last 1,000. Whoever handles events knows an id again for longer.
    """

    system = "kafka"

    def __init__(self, settings: KafkaSettings, publisher: KafkaPublisher) -> None:
        """Use `open`."""
        self._settings = settings
        self._publisher = publisher

    @classmethod
    @asynccontextmanager
    async def open(cls, settings: KafkaSettings) -> AsyncGenerator["KafkaBus"]:
        """A bus until the end of the block, which sends what is on its way, for a bounded time.

        No broker has to be there yet. Raises `ConfigurationError` for options that librdkafka does not take.
        """
        publisher = await KafkaPublisher.start(settings)
        try:
            yield cls(settings, publisher)
        finally:
            await publisher.aclose()

    async def publish(self, events: Sequence[Event]) -> None:
        """See `Bus.publish`. Cancelled, events that were handed over are still sent."""
        for event in events:
            check_event(event)
        await self._publisher.publish(events)

    @asynccontextmanager
    async def subscribe(self, group: str, topics: Sequence[str]) -> AsyncGenerator[KafkaMember]:
        """See `Bus.subscribe`; partitions are assigned a moment later."""
        check_group(group)
        member = KafkaMember(self._settings, group, [check_topic(topic) for topic in topics])
        try:
            yield member
        finally:
            await member.aclose()
