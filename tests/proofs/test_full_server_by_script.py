"""A server at its `maxmemory`: every script but `submit` still runs, and answers as it does with room."""

from collections.abc import AsyncGenerator
from typing import Any

import pytest

from conformance.test_twice import Case
from penstock.engine.errors import StoreFull
from penstock.engine.memory_watch import MemoryWatch
from penstock.engine.transport import Redis
from proofs.cases import (
    CASES,
    QUEUE,
    assert_each_ended_once,
    bring_to_an_end,
    cases_of,
    everything_stored,
    set_up,
)
from support.redis_server import ValkeyServer
from support.stores import QueueUnderTest, redis_harness

WORKING_OFF = sorted(CASES.keys() - {"submit", "submit_one", "fire", "memory"})


@pytest.fixture
async def redis(server: ValkeyServer) -> AsyncGenerator[Redis]:
    """A server that has room again at the end."""
    async with Redis(server.url) as redis:
        yield redis
        await redis.execute("CONFIG", "SET", "maxmemory", 0)


async def _carry_out(redis: Redis, server: ValkeyServer, case: Case, *, full: bool) -> list[Any]:
    """Set up, fill the server if told to, make the call; its answer, what is stored, and how all ends."""
    async with redis_harness(server.url) as harness:
        queue = QueueUnderTest(harness, QUEUE)
        send = await case(queue, await set_up(queue))
        await redis.execute("CONFIG", "SET", "maxmemory", int(full))
        answer = await send()
        await redis.execute("CONFIG", "SET", "maxmemory", 0)
        stored = await everything_stored(redis)
        await bring_to_an_end(queue)
        return [answer, stored, await assert_each_ended_once(queue, redis)]


@pytest.mark.parametrize(("script", "case"), cases_of(*WORKING_OFF))
async def test_what_is_there_can_be_worked_off(
    server: ValkeyServer, redis: Redis, script: str, case: Case
) -> None:
    """The same answer, the same state and the same end as on a server with room."""
    with_room = await _carry_out(redis, server, case, full=False)
    assert await _carry_out(redis, server, case, full=True) == with_room


@pytest.mark.parametrize("watched", [True, False])
@pytest.mark.parametrize(("script", "case"), cases_of("submit", "submit_one", "fire"))
async def test_nothing_more_is_taken_in(
    server: ValkeyServer,
    redis: Redis,
    script: str,
    case: Case,
    watched: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Refused with a typed error, by the look at the server's memory or by the script itself."""
    if not watched:

        async def see_nothing(watch: MemoryWatch, queue: str) -> int:
            return 0

        monkeypatch.setattr(MemoryWatch, "check", see_nothing)
    async with redis_harness(server.url) as harness:
        queue = QueueUnderTest(harness, QUEUE)
        send = await case(queue, await set_up(queue))
        await redis.execute("CONFIG", "SET", "maxmemory", 1)
        before = await everything_stored(redis)
        with pytest.raises(StoreFull):
            await send()
        assert await everything_stored(redis) == before


async def test_a_full_server_can_be_asked_how_full_it_is(server: ValkeyServer, redis: Redis) -> None:
    """The look at the memory needs none."""
    async with redis_harness(server.url) as harness:
        [case] = CASES["memory"]
        queue = QueueUnderTest(harness, QUEUE)
        send = await case(queue, await set_up(queue))
        await redis.execute("CONFIG", "SET", "maxmemory", 1)
        assert await send() == (True, 1, 0)
