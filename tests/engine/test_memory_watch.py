"""Near its `maxmemory` a server takes no more jobs, and this is noticed without asking for every one."""

import pytest
import trio
from trio.testing import MockClock

from penstock.engine.errors import StoreFull, StoreRefused, StoreUnavailable
from penstock.engine.memory_watch import INTERVAL, MemoryWatch
from penstock.engine.redis_store import RedisStore
from penstock.engine.transport import Redis
from support.redis_server import valkey_server
from support.stores import new_job

QUEUE = "q"


class Server:
    """Says how full it is, and counts the questions."""

    def __init__(self, used: int = 0, limit: int = 100) -> None:
        self.used = used
        self.limit = limit
        self.asked = 0
        self.trouble: Exception | None = None

    async def look(self, queue: str) -> list[int]:
        self.asked += 1
        await trio.lowlevel.checkpoint()
        if self.trouble is not None:
            raise self.trouble
        return [self.used, self.limit, 0]


async def test_above_the_limit_nothing_is_taken_in_and_below_it_everything(autojump_clock: MockClock) -> None:
    """90 % are fine, 91 are too much, and when there is room again jobs are taken in again."""
    server = Server(used=90)
    watch = MemoryWatch(server.look)
    await watch.check(QUEUE)
    server.used = 91
    await trio.sleep(INTERVAL)
    with pytest.raises(StoreFull, match=r"Redis uses 91% of its maxmemory of 100 bytes"):
        await watch.check(QUEUE)
    server.used = 50
    with pytest.raises(StoreFull):
        await watch.check(QUEUE)
    await trio.sleep(INTERVAL)
    await watch.check(QUEUE)


async def test_the_server_is_asked_once_an_interval_however_many_submit(autojump_clock: MockClock) -> None:
    """Whoever comes while one asks goes by what was known before."""
    server = Server()
    watch = MemoryWatch(server.look)
    async with trio.open_nursery() as nursery:
        for _ in range(100):
            nursery.start_soon(watch.check, QUEUE)
    assert server.asked == 1
    await watch.check("another")
    assert server.asked == 2


@pytest.mark.parametrize(
    ("limit", "trouble"),
    [(0, None), (100, StoreRefused("no permission"))],
    ids=["no maxmemory", "INFO refused"],
)
async def test_a_server_that_does_not_tell_is_never_nearly_full(
    autojump_clock: MockClock, limit: int, trouble: Exception | None
) -> None:
    """Then its own refusal, at its limit, must do."""
    server = Server(used=10**9, limit=limit)
    server.trouble = trouble
    await MemoryWatch(server.look).check(QUEUE)


async def test_a_look_that_failed_is_taken_again_at_once(autojump_clock: MockClock) -> None:
    """An outage is the submitter's to see, and makes nobody believe that there is room."""
    server = Server(used=91)
    server.trouble = StoreUnavailable("away")
    watch = MemoryWatch(server.look)
    with pytest.raises(StoreUnavailable):
        await watch.check(QUEUE)
    server.trouble = None
    with pytest.raises(StoreFull):
        await watch.check(QUEUE)


async def test_the_part_in_use_is_told_where_the_server_tells_it() -> None:
    """Asked anew each time; a server without a bound, or one that hides it, uses nothing of it."""
    server = Server(used=85)
    watch = MemoryWatch(server.look)
    assert await watch.part(QUEUE) == 0.85
    server.used = 20
    assert await watch.part(QUEUE) == 0.2
    server.limit = 0
    assert await watch.part(QUEUE) == 0.0
    server.trouble = StoreRefused("no permission")
    assert await watch.part(QUEUE) == 0.0
    server.trouble = StoreUnavailable("away")
    with pytest.raises(StoreUnavailable):
        await watch.part(QUEUE)


async def test_a_real_server_tells_the_part_in_use() -> None:
    """By what counts towards its bound."""
    with valkey_server() as server:
        async with Redis(server.url) as redis:
            store = RedisStore(redis)
            assert await store.memory(QUEUE) == 0.0
            info = await redis.execute("INFO", "memory")
            assert isinstance(info, bytes)
            used = int(info.split(b"used_memory:")[1].split(b"\r\n")[0])
            await redis.execute("CONFIG", "SET", "maxmemory", 2 * used)
            assert await store.memory(QUEUE) == pytest.approx(0.5, rel=0.1)


async def test_a_real_server_refuses_by_this_before_it_refuses_by_itself() -> None:
    """At 95 % of `maxmemory` Redis would take a job; Penstock does not, and works off what waits."""
    with valkey_server() as server:
        async with Redis(server.url) as redis:
            await RedisStore(redis).submit(QUEUE, [new_job("a")])
            info = await redis.execute("INFO", "memory")
            assert isinstance(info, bytes)
            used = int(info.split(b"used_memory:")[1].split(b"\r\n")[0])
            await redis.execute("CONFIG", "SET", "maxmemory", int(used / 0.95))
            store = RedisStore(redis)
            with pytest.raises(StoreFull, match="nothing was stored"):
                await store.submit(QUEUE, [new_job("b")])
            await redis.execute("SET", "there", "is room")
            await store.join(QUEUE, "w", 1000)
            claim = await store.claim(QUEUE, "w", 1, 10, suspect=False, idle=False)
            assert claim is not None
            assert [claimed.suffix for claimed in claim.jobs] == ["a"]
