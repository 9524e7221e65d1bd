"""The suite runs on both stores; every test has a queue of its own."""

from collections.abc import AsyncGenerator, Iterator

import pytest

from support.redis_server import ValkeyServer, valkey_server
from support.stores import QueueUnderTest, StoreHarness, memory_harness, redis_harness


@pytest.fixture(scope="session")
def server() -> Iterator[ValkeyServer]:
    """A server for this pytest process: its clock is a key that all tests on it share."""
    with valkey_server() as running:
        yield running


@pytest.fixture(params=["memory", "redis"])
async def harness(request: pytest.FixtureRequest) -> AsyncGenerator[StoreHarness]:
    """A store on a clock that the test moves."""
    if request.param == "memory":
        opened = memory_harness()
    else:
        opened = redis_harness(request.getfixturevalue("server").url)
    async with opened as harness:
        yield harness


@pytest.fixture
def queue(harness: StoreHarness) -> QueueUnderTest:
    """A queue that nobody has used before."""
    return QueueUnderTest(harness)
