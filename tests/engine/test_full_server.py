"""A server at its `maxmemory`: nothing more is taken in, and what is there can be worked off."""

from collections.abc import AsyncGenerator

import pytest

from penstock.engine.errors import StoreFull
from penstock.engine.job import JobState
from penstock.engine.redis_store import RedisStore
from penstock.engine.transport import Redis
from support.redis_server import valkey_server
from support.stores import LEASE, new_job, settlement, suffixes

QUEUE = "q"


@pytest.fixture
async def redis() -> AsyncGenerator[Redis]:
    """A server of one's own that holds two jobs and no byte more."""
    with valkey_server() as server:
        async with Redis(server.url) as redis:
            await RedisStore(redis).submit(QUEUE, [new_job("a"), new_job("b")])
            await redis.execute("CONFIG", "SET", "maxmemory", 1)
            yield redis


async def test_a_full_server_refuses_jobs(redis: Redis) -> None:
    """Told apart from a server that is away; this keeps the test below honest."""
    with pytest.raises(StoreFull):
        await RedisStore(redis).submit(QUEUE, [new_job("c")])
    with pytest.raises(StoreFull):
        await redis.execute("SADD", "penstock:queues", "another")


async def test_a_worker_that_starts_on_a_full_server_works_it_off(redis: Redis) -> None:
    """Joining, beating, claiming, settling and leaving need no room: how else would there be room again?"""
    store = RedisStore(redis)  # of a process that has not listed the queue
    await store.join(QUEUE, "w", LEASE)
    claim = await store.claim(QUEUE, "w", 1, 10, suspect=True, idle=True)
    assert claim is not None
    assert suffixes(claim.jobs) == ["a", "b"]
    assert await store.heartbeat(QUEUE, "w", LEASE) is not None
    ended, kept = claim.jobs
    assert await store.settle(QUEUE, "w", [settlement(ended)]) == ["settled"]
    assert (await store.leave(QUEUE, "w")).suffixes == [kept.suffix]
    job = await store.look(QUEUE, ended.suffix)
    assert job is not None
    assert job.state is JobState.SUCCEEDED


async def test_a_queue_that_could_not_be_listed_is_listed_when_there_is_room(redis: Redis) -> None:
    """A worker that joined a full server names its queue at its next chance."""
    store = RedisStore(redis)
    await store.join("unheard-of", "w", LEASE)
    assert await store.queues() == [QUEUE]
    await redis.execute("CONFIG", "SET", "maxmemory", 0)
    await store.join("unheard-of", "w", LEASE)
    assert await store.queues() == [QUEUE, "unheard-of"]
