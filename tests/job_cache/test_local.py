"""What the process keeps by itself: for how long, how much, and what it may never keep."""

from collections.abc import Sequence

import pytest
import trio
from trio.testing import MockClock, assert_checkpoints, wait_all_tasks_blocked

from job_cache.heard import Heard
from penstock.engine.cache import Cache, CacheSettings, MemoryCacheStore
from penstock.engine.cache.local import LocalLayer
from penstock.engine.cache.store import Place


def at(key: str) -> Place:
    return Place("m", key)


def put(layer: LocalLayer, key: str, data: bytes = b"x", ttl: float = 60) -> None:
    layer.put(at(key), data, ttl, layer.mark(at(key)))


async def test_reads_of_a_second_ask_the_store_once(autojump_clock: MockClock, heard: Heard) -> None:
    """After that the store is asked again: for so long a process may see what another one has changed."""
    store = MemoryCacheStore()
    here, there = Cache(store), Cache(store)
    await there.set("k", 1, ttl=60)
    assert await here.get("k", type=int) == 1
    await there.set("k", 2, ttl=60)
    assert await there.get("k", type=int) == 2
    await trio.sleep(0.9)
    assert await here.get("k", type=int) == 1
    await trio.sleep(0.2)
    assert await here.get("k", type=int) == 2
    assert heard.tally("cache_reads") == {("", "hit"): 3, ("", "hit_local"): 1}
    assert heard.tally("cache_evictions") == {("", "expired"): 1}


async def test_a_read_lets_others_run() -> None:
    """Also one that has nothing to wait for: a job may read many in a row."""
    cache = Cache(MemoryCacheStore())
    await cache.set("k", 1, ttl=60)
    for _ in range(2):
        with assert_checkpoints():
            assert await cache.get("k", type=int) == 1
    with assert_checkpoints():
        assert await cache.get_or_load("k", unexpected, ttl=60, type=int) == 1


async def unexpected() -> int:
    raise AssertionError("nothing was to be loaded")


async def test_an_entry_is_kept_no_longer_than_its_own_time(autojump_clock: MockClock) -> None:
    """The layer's time is the most."""
    layer = LocalLayer(CacheSettings(local_ttl=10))
    put(layer, "short", ttl=2)
    put(layer, "long", ttl=60)
    await trio.sleep(3)
    assert layer.get(at("short")) is None
    assert layer.get(at("long")) == b"x"
    await trio.sleep(8)
    assert layer.get(at("long")) is None


async def test_the_least_recently_used_goes_when_there_are_too_many(heard: Heard) -> None:
    """Reading counts as use."""
    layer = LocalLayer(CacheSettings(local_entries=3))
    for key in "abc":
        put(layer, key)
    layer.get(at("a"))
    put(layer, "d")
    assert [key for key in "abcd" if layer.get(at(key))] == ["a", "c", "d"]
    assert heard.tally("cache_evictions") == {("m", "entries"): 1}


async def test_its_bytes_are_bounded_and_told(heard: Heard) -> None:
    """Keys and what it costs to keep an entry are counted; what is larger than the layer is not kept."""
    layer = LocalLayer(CacheSettings(local_bytes=1000))
    for key in "abc":
        put(layer, key, b"x" * 200)
    assert len(layer) == 2
    assert layer.size <= 1000
    assert heard.last("cache_local_bytes") == layer.size
    assert heard.tally("cache_evictions") == {("m", "bytes"): 1}
    put(layer, "b", b"x" * 990)
    assert layer.get(at("b")) == b"x" * 200
    for key in "abc":
        layer.forget(at(key))
    assert heard.last("cache_local_bytes") == layer.size == 0


@pytest.mark.parametrize("off", [{"local_entries": 0}, {"local_bytes": 0}, {"local_ttl": 0}])
async def test_it_can_be_turned_off(off: dict[str, int], heard: Heard) -> None:
    """Then every read asks the store, and nothing is evicted."""
    cache = Cache(MemoryCacheStore(), CacheSettings(**off))
    await cache.set("k", 1, ttl=60)
    for _ in range(3):
        await cache.get("k", type=int)
    assert heard.tally("cache_reads") == {("", "hit"): 3}
    assert heard.tally("cache_evictions") == {}


class Slow(MemoryCacheStore):
    """Answers a read a moment after it has looked, and deletes a moment after it was asked to."""

    async def read(self, place: Place) -> bytes | None:
        data = await super().read(place)
        await trio.sleep(0.4)
        return data

    async def forget(self, places: Sequence[Place]) -> None:
        await trio.sleep(0.3)
        await super().forget(places)


@pytest.mark.parametrize("reader_first", [True, False])
async def test_what_was_read_before_a_deletion_is_not_kept_after_it(
    reader_first: bool, autojump_clock: MockClock
) -> None:
    """Whether the reader began before whoever deletes, or while the store had not deleted yet."""
    store = Slow()
    cache, elsewhere = Cache(store), Cache(store)
    await elsewhere.set("k", 1, ttl=60)
    async with trio.open_nursery() as nursery:
        if reader_first:
            nursery.start_soon(lambda: cache.get("k", type=int))
            await wait_all_tasks_blocked()
        nursery.start_soon(cache.delete, "k")
        await wait_all_tasks_blocked()
        if not reader_first:
            assert await cache.get("k", type=int) == 1
    assert await cache.get("k", type=int) is None
