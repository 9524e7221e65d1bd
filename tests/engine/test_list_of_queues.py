"""The list of queues is for operators: where it cannot be written, work goes on."""

from collections.abc import AsyncGenerator

import pytest

from penstock.engine.errors import StoreUnavailable
from penstock.engine.redis_store import RedisStore
from penstock.engine.transport import Argument, Redis, Reply, Timeout
from support.redis_server import valkey_server
from support.stores import LEASE, new_job


class WithoutList(Redis):
    """A Cluster of which the node that holds the list is away, while `away`."""

    away = True
    tried = 0

    async def execute(self, *command: Argument, timeout: Timeout = ..., retry_for: float = 3.0) -> Reply:
        if command[0] == "SADD":
            self.tried += 1
            if self.away:
                raise StoreUnavailable("the node is away")
        return await super().execute(*command, timeout=timeout, retry_for=retry_for)


@pytest.fixture
async def redis() -> AsyncGenerator[WithoutList]:
    with valkey_server() as server:
        async with WithoutList(server.url) as redis:
            yield redis


async def test_a_queue_that_cannot_be_listed_is_worked_on(redis: WithoutList) -> None:
    """Submitting and joining go on, and do not try the list again each time."""
    store = RedisStore(redis)
    for name in "abc":
        assert [one.created for one in await store.submit("q", [new_job(name)])] == [True]
    await store.join("q", "w", LEASE)
    assert redis.tried == 1


async def test_a_queue_is_listed_once(redis: WithoutList) -> None:
    """One command for the life of a connection."""
    redis.away = False
    store = RedisStore(redis)
    for name in "abc":
        await store.submit("q", [new_job(name)])
    assert redis.tried == 1
    assert await store.queues() == ["q"]
