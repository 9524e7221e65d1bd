"""A cache whose store is away fails nobody."""

from collections.abc import Awaitable, Callable

import pytest
import trio
from trio.testing import MockClock

from job_cache.heard import Heard
from penstock.engine.cache import Cache, CacheSettings, MemoryCacheStore, RedisCacheStore
from penstock.engine.cache.store import Place, Turn
from penstock.engine.errors import StoreFull, StoreRefused, StoreUnavailable
from penstock.engine.transport import Redis
from support.redis_server import valkey_server


class Failing(MemoryCacheStore):
    """Does what `fail` does before anything else; counts how often it was asked for a value."""

    def __init__(self, fail: Callable[[], Awaitable[None]]) -> None:
        super().__init__()
        self.fail = fail
        self.asked = 0

    async def read(self, place: Place) -> bytes | None:
        self.asked += 1
        await self.fail()
        return await super().read(place)

    async def read_or_lock(self, place: Place, token: str, seconds: float) -> bytes | Turn:
        self.asked += 1
        await self.fail()
        return await super().read_or_lock(place, token, seconds)

    async def fill(self, place: Place, token: str, data: bytes, ttl: float) -> bool:
        await self.fail()
        return await super().fill(place, token, data, ttl)

    async def write(self, place: Place, data: bytes, ttl: float) -> None:
        await self.fail()

    async def forget(self, places: object) -> None:
        await self.fail()


async def away() -> None:
    await trio.lowlevel.checkpoint()
    raise StoreUnavailable("nobody there")


async def refuse() -> None:
    await trio.lowlevel.checkpoint()
    raise StoreRefused("NOPERM")


class Source:
    """Counts loads."""

    loads = 0

    async def load(self) -> int:
        self.loads += 1
        await trio.sleep(0.1)
        return self.loads


@pytest.mark.parametrize("fail", [away, refuse, trio.sleep_forever])
async def test_jobs_go_on_without_it(
    fail: Callable[[], Awaitable[None]], autojump_clock: MockClock, heard: Heard
) -> None:
    """Reads find nothing, loads run and are shared in the process, changes say that they did not happen."""
    source, cache = Source(), Cache(Failing(fail))
    assert await cache.get("k", type=int) is None
    async with trio.open_nursery() as nursery:
        for _ in range(20):
            nursery.start_soon(lambda: cache.get_or_load("k", source.load, ttl=60, type=int))
    assert source.loads == 1
    assert await cache.get_or_load("k", source.load, ttl=60, type=int) == 1, "kept for a moment"
    assert not await cache.set("k", 5, ttl=60)
    assert not await cache.delete("k")
    assert heard.tally("cache_reads") == {("", "error"): 21, ("", "hit_local"): 1}
    assert sum(heard.tally("cache_errors").values()) >= 3


async def test_a_silent_store_costs_half_a_second_and_is_left_alone_for_one(
    autojump_clock: MockClock,
) -> None:
    """Reads of that second do not wait at all; afterwards it is asked again."""
    store = Failing(trio.sleep_forever)
    cache = Cache(store)
    started = trio.current_time()
    await cache.get("k", type=int)
    assert trio.current_time() - started == pytest.approx(0.5)
    for _ in range(10):
        await cache.get("k", type=int)
    assert trio.current_time() - started == pytest.approx(0.5)
    assert store.asked == 1
    await trio.sleep(1.1)
    store.fail = trio.lowlevel.checkpoint
    assert await cache.get_or_load("k", Source().load, ttl=60, type=int) == 1
    assert store.asked == 2


async def test_a_refusal_does_not_make_it_rest(autojump_clock: MockClock) -> None:
    """A wrong type under one key says nothing of the others."""
    store = Failing(refuse)
    cache = Cache(store)
    for _ in range(3):
        await cache.get("k", type=int)
    assert store.asked == 3


async def test_a_full_store_keeps_nothing_and_fails_nobody(autojump_clock: MockClock, heard: Heard) -> None:
    """The value is returned; the lock is given up."""

    class Full(MemoryCacheStore):
        async def fill(self, place: Place, token: str, data: bytes, ttl: float) -> bool:
            raise StoreFull("OOM")

    store, source = Full(), Source()
    assert await Cache(store).get_or_load("k", source.load, ttl=60, type=int) == 1
    assert await Cache(store).get_or_load("k", source.load, ttl=60, type=int) == 2
    assert heard.tally("cache_errors") == {("", "fill"): 2}
    assert store._locks == {}


async def test_a_real_server_may_be_killed_paused_and_come_back() -> None:
    """Reads are answered within a bound meanwhile, and the cache keeps again once the server is there."""
    source = Source()
    with valkey_server() as server:
        async with Redis(server.url) as link:
            store = RedisCacheStore(link)
            calm = Cache(store, CacheSettings(patience=10, local_entries=0))  # for a machine that is swamped
            hasty = Cache(store, CacheSettings(patience=0.2, rest=0, local_entries=0))
            with trio.fail_after(60):
                assert await calm.get_or_load("k", source.load, ttl=60, type=int) == 1
                assert await calm.get_or_load("k", source.load, ttl=60, type=int) == 1
                server.pause()
                assert await hasty.get_or_load("k", source.load, ttl=60, type=int) == 2
                server.resume()
                server.kill()
                assert await hasty.get_or_load("k", source.load, ttl=60, type=int) == 3
                assert not await hasty.delete("k")
                await trio.to_thread.run_sync(server.start)
                assert await calm.set("back", 1, ttl=60)
                assert await calm.get("back", type=int) == 1
