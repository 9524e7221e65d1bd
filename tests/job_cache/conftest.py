from collections.abc import AsyncGenerator, Generator

import pytest

from job_cache.heard import Heard, hearing
from penstock.engine.cache import METRICS, CacheStore, MemoryCacheStore, RedisCacheStore
from penstock.engine.transport import Redis
from support.process_fixtures import start
from support.redis_server import ValkeyServer, valkey_server

__all__ = ["start"]


@pytest.fixture(scope="session")
def valkey() -> Generator[ValkeyServer]:
    """One server for all tests of this process; use keys of your own on it."""
    with valkey_server() as server:
        yield server


@pytest.fixture(params=["memory", "redis"])
async def store(request: pytest.FixtureRequest, valkey: ValkeyServer) -> AsyncGenerator[CacheStore]:
    """Each of the two stores."""
    if request.param == "memory":
        yield MemoryCacheStore()
        return
    async with Redis(valkey.url) as link:
        yield RedisCacheStore(link)


@pytest.fixture
def heard() -> Generator[Heard]:
    """What the cache's metrics are told."""
    with hearing(METRICS) as listening:
        yield listening
