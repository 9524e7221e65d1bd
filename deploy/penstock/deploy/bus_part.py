"""The event bus of one process: where its jobs publish, and from where its modules' handlers get events."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from penstock.engine.bus import Bus, Dispatcher, Handler, ObservedBus, RedisAside, RedisBus
from penstock.engine.bus.publisher import BusPublisher
from penstock.engine.client import Client
from penstock.engine.errors import ConfigurationError
from penstock.engine.registry import Registry
from penstock.engine.transport import Link
from penstock.telemetry import Telemetry

REDIS = "redis"


class BusPart:
    """Publishes at once; handlers are served while `run` runs."""

    def __init__(
        self, bus: Bus, link: Link, client: Client, registry: Registry, telemetry: Telemetry
    ) -> None:
        """`link` is where events are kept that a handler could not take."""
        self.bus = observed = ObservedBus(bus, telemetry.seams())
        self.publisher = BusPublisher(observed)
        self._dispatcher = Dispatcher(
            observed,
            _handlers(registry),
            lambda request, _: client.submit_request(request),
            telemetry.seams(),
            continued=telemetry.tracing.continued,
            aside=RedisAside(link),
        )
        self._idle = not registry.handlers

    async def run(self) -> None:
        """Make jobs of events until cancelled; nothing where no module handles any."""
        if not self._idle:
            await self._dispatcher.run()


@asynccontextmanager
async def open_bus(address: str, link: Link) -> AsyncGenerator[Bus]:
    """The bus at an address: `redis` for the broker itself, or as `KafkaSettings.of_url` reads it.

    Raises `ConfigurationError` for any other address, and for Kafka without the extra `kafka`.
    """
    if address == REDIS:
        yield RedisBus(link)
        return
    if not address.startswith("kafka"):
        raise ConfigurationError(f"The bus is {REDIS}, or one at kafka://host:port")  # no word of a password
    from penstock.engine.bus.kafka import KafkaBus, KafkaSettings

    async with KafkaBus.open(KafkaSettings.of_url(address)) as bus:
        yield bus


def _handlers(registry: Registry) -> list[Handler]:
    handlers: list[Handler] = []
    for declared in registry.handlers:
        job = registry.get(declared.job)
        assert job is not None  # it was declared with the handler
        handlers.append(Handler(name=declared.job, topic=declared.topic, job=job, type=declared.type))
    return handlers
