"""A queue in each of the stores, for what the machine found and what it leaves out."""

from collections.abc import AsyncGenerator, Iterator

import pytest

from support.redis_server import ValkeyServer, valkey_server
from support.stores import QueueUnderTest, memory_harness, redis_harness


@pytest.fixture(scope="session")
def server() -> Iterator[ValkeyServer]:
    """A server of this process's own: its clock is a key."""
    with valkey_server() as running:
        yield running


@pytest.fixture(params=["memory", "redis"])
async def queue(request: pytest.FixtureRequest) -> AsyncGenerator[QueueUnderTest]:
    """A queue that nobody has used before, in the specification and on the scripts."""
    memory = request.param == "memory"
    async with (
        memory_harness() if memory else redis_harness(request.getfixturevalue("server").url) as harness
    ):
        yield QueueUnderTest(harness)
