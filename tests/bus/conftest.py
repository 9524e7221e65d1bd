"""The suite runs on every bus; every test has a topic of its own."""

from collections.abc import AsyncGenerator, Iterator

import pytest

from bus.mock_kafka import MockKafka, mock_kafka
from bus.real_kafka import RealKafka, real_kafka
from bus.rig import BusUnderTest, kafka_bus, memory_bus, redis_bus
from support.redis_server import ValkeyServer, valkey_server


@pytest.fixture(scope="session")
def server() -> Iterator[ValkeyServer]:
    """A server for this pytest process."""
    with valkey_server() as running:
        yield running


@pytest.fixture(scope="session")
def brokers() -> Iterator[MockKafka | RealKafka]:
    """The real broker that the environment names, or a mock cluster for this pytest process."""
    if (real := real_kafka()) is not None:
        yield real
        return
    with mock_kafka() as running:
        yield running


@pytest.fixture(params=["memory", "redis", "kafka"])
async def rig(request: pytest.FixtureRequest) -> AsyncGenerator[BusUnderTest]:
    """A bus and a fresh topic."""
    match request.param:
        case "memory":
            opened = memory_bus()
        case "redis":
            opened = redis_bus(request.getfixturevalue("server"))
        case _:
            opened = kafka_bus(request.getfixturevalue("brokers"))
    async with opened as rig:
        yield rig
