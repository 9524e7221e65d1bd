"""Reading, writing and deleting by whoever uses the cache: types, times to live, limits."""

import random
from typing import Any

import anyio
import anyio.lowlevel
import msgspec
import pytest
import trio
from trio.testing import MockClock

from job_cache.heard import Heard
from penstock.engine.cache import Cache, CacheSettings, CacheStore, MemoryCacheStore
from penstock.engine.cache.store import Place
from penstock.engine.errors import ConfigurationError, InvalidRequest, PayloadTooLarge

CALM = CacheSettings(patience=10)
"""For a real server on a machine that is swamped."""


class Report(msgspec.Struct):
    title: str
    rows: list[int]


class Latest(random.Random):
    """Draws the upper end."""

    def random(self) -> float:
        return 1.0


class Watched(MemoryCacheStore):
    """Remembers for how long entries were stored."""

    def __init__(self) -> None:
        super().__init__()
        self.ttls: list[float] = []

    async def fill(self, place: Place, token: str, data: bytes, ttl: float) -> bool:
        self.ttls.append(ttl)
        return await super().fill(place, token, data, ttl)

    async def write(self, place: Place, data: bytes, ttl: float) -> None:
        self.ttls.append(ttl)
        await super().write(place, data, ttl)


async def unexpected() -> int:
    raise AssertionError("nothing was to be loaded")


async def test_values_come_back_as_their_type(store: CacheStore) -> None:
    """In the process that wrote them and in others; in each case a copy of the reader's own."""
    here, there = Cache(store, CALM).for_module("typed"), Cache(store, CALM).for_module("typed")
    report = Report("sums", [1, 2])
    assert await here.set("r", report, ttl=60)
    for cache in (here, there):
        read = await cache.get("r", type=Report)
        assert read == report
        assert read is not report
        assert read is not await cache.get("r", type=Report)
        assert await cache.get("r", type=dict[str, object]) == {"title": "sums", "rows": [1, 2]}
    assert await here.delete("r")
    assert await here.get("r", type=Report) is None


async def test_who_loads_gets_a_copy_too() -> None:
    """The first reader sees what all others will see."""
    report = Report("sums", [1])

    async def load() -> Report:
        return report

    first = await Cache(MemoryCacheStore()).get_or_load("r", load, ttl=60, type=Report)
    assert first == report
    assert first is not report


async def test_a_load_of_another_type_is_found_out_at_once() -> None:
    """The first test finds it, not the second reader in production."""

    async def load() -> Any:
        return {"title": 1}

    with pytest.raises(InvalidRequest, match="not of the type"):
        await Cache(MemoryCacheStore()).get_or_load("r", load, ttl=60, type=Report)


async def test_an_entry_of_another_version_is_loaded_anew(store: CacheStore, heard: Heard) -> None:
    """What cannot be read as the type that the code has now is deleted; `get` finds nothing."""
    cache = Cache(store, CALM).for_module("versions")
    await Cache(store, CALM).for_module("versions").set("r", {"name": "old"}, ttl=60)

    async def load() -> Report:
        return Report("new", [])

    assert await cache.get("r", type=Report) is None
    assert await cache.get_or_load("r", load, ttl=60, type=Report) == Report("new", [])
    assert await Cache(store, CALM).for_module("versions").get("r", type=Report) == Report("new", [])
    assert heard.tally("cache_errors")[("versions", "decode")] >= 2


async def test_modules_have_name_spaces_of_their_own(store: CacheStore) -> None:
    """One key of two modules is two entries."""
    cache = Cache(store, CALM)
    await cache.for_module("a").set("same", 1, ttl=60)
    await cache.for_module("b").set("same", 2, ttl=60)
    await cache.for_module("b").delete("same")
    assert await cache.for_module("a").get("same", type=int) == 1
    assert await cache.for_module("b").get("same", type=int) is None


async def test_many_are_deleted_at_once(store: CacheStore) -> None:
    """More than one batch of them."""
    cache = Cache(store, CALM).for_module("many")
    keys = [f"k{number}" for number in range(1200)]
    for key in keys[::100]:
        await cache.set(key, 1, ttl=60)
    assert await cache.delete_many(keys)
    assert [await cache.get(key, type=int) for key in keys[::100]] == [None] * 12


async def test_nothing_is_kept_for_its_own_time_if_asked(autojump_clock: MockClock, heard: Heard) -> None:
    """A None that was loaded is a negative hit until then, and by default loaded again."""
    loads, cache = 0, Cache(MemoryCacheStore(), CacheSettings(jitter=0))

    async def find() -> int | None:
        nonlocal loads
        loads += 1
        return None

    for expected in (1, 2):
        assert await cache.get_or_load("default", find, ttl=60, type=int) is None
        assert loads == expected
    for _ in range(3):
        assert await cache.get_or_load("asked", find, ttl=60, negative_ttl=5, type=int) is None
        assert await cache.get("asked", type=int) is None
        await trio.sleep(1.2)
    assert loads == 3
    assert heard.tally("cache_reads")[("", "negative")] == 5
    await trio.sleep(2)
    await cache.get_or_load("asked", find, ttl=60, negative_ttl=5, type=int)
    assert loads == 4
    assert heard.tally("cache_loads") == {("", "none"): 4}


async def test_expiry_is_jittered() -> None:
    """An entry ends up to a tenth of its time earlier, never later."""
    store = Watched()
    cache = Cache(store)
    for number in range(200):
        await cache.set(str(number), 1, ttl=100)
    assert all(90 <= ttl <= 100 for ttl in store.ttls)
    assert max(store.ttls) - min(store.ttls) > 5
    await Cache(store, rng=Latest()).set("k", 1, ttl=100)
    assert store.ttls[-1] == pytest.approx(90)


async def test_too_large_a_value_is_refused_where_it_is_set() -> None:
    """The error names the size and the limit; nothing is changed."""
    cache = Cache(MemoryCacheStore(), CacheSettings(value_bytes=100))
    await cache.set("k", "small", ttl=60)
    with pytest.raises(PayloadTooLarge, match=r"'k' takes 202 bytes: at most 100"):
        await cache.set("k", "x" * 200, ttl=60)
    assert await cache.get("k", type=str) == "small"


async def test_too_large_a_value_that_was_loaded_is_returned_and_not_kept(heard: Heard) -> None:
    """A job does not fail because its data grew."""
    cache = Cache(MemoryCacheStore(), CacheSettings(value_bytes=100))

    async def load() -> str:
        return "x" * 200

    for _ in range(2):
        assert await cache.get_or_load("k", load, ttl=60, type=str) == "x" * 200
    assert heard.tally("cache_loads") == {("", "too_large"): 2}


@pytest.mark.parametrize("key", ["", "x" * 251, "with space", "{tag}", "ümlaut", "new\nline", "\x7f"])
async def test_keys_are_short_and_printable(key: str) -> None:
    """Everything that takes a key refuses any other."""
    cache = Cache(MemoryCacheStore())
    for call in (
        cache.get(key, type=int),
        cache.set(key, 1, ttl=1),
        cache.delete(key),
        cache.get_or_load(key, unexpected, ttl=1, type=int),
    ):
        with pytest.raises(InvalidRequest, match="cannot be a key") as caught:
            await call
        assert caught.value.field == "key"


@pytest.mark.parametrize("ttl", [0, -1, float("nan"), float("inf"), 366 * 86_400])
async def test_times_to_live_are_bounded(ttl: float) -> None:
    """Entries always expire."""
    cache = Cache(MemoryCacheStore())
    with pytest.raises(InvalidRequest, match="ttl is"):
        await cache.set("k", 1, ttl=ttl)
    with pytest.raises(InvalidRequest, match=r"^ttl is"):
        await cache.get_or_load("k", unexpected, ttl=ttl, type=int)
    with pytest.raises(InvalidRequest, match="negative_ttl is"):
        await cache.get_or_load("k", unexpected, ttl=1, negative_ttl=ttl, type=int)


async def test_what_msgspec_does_not_know_is_refused() -> None:
    """Never pickled."""
    with pytest.raises(InvalidRequest, match="cannot be kept"):
        await Cache(MemoryCacheStore()).set("k", object(), ttl=1)


@pytest.mark.parametrize("name", ["", "a b", "{a}", "x" * 129, "a:b"])
def test_module_names_are_checked(name: str) -> None:
    """A module called `a:b` could read the entries of `a`."""
    with pytest.raises(ConfigurationError, match="cannot name a module"):
        Cache(MemoryCacheStore()).for_module(name)


@pytest.mark.parametrize(
    "wrong",
    [{"value_bytes": 0}, {"jitter": 1.0}, {"local_ttl": -1.0}, {"patience": 0.0}, {"lock": 0.0}],
)
def test_settings_that_cannot_work_are_refused(wrong: dict[str, float]) -> None:
    """Before anything is read."""
    with pytest.raises(ConfigurationError):
        msgspec.convert(wrong, CacheSettings, strict=False)


def test_it_works_on_asyncio_too() -> None:
    """As the client does."""

    async def main() -> None:
        cache = Cache(MemoryCacheStore())

        async def load() -> int:
            await anyio.lowlevel.checkpoint()
            return 7

        async with anyio.create_task_group() as tasks:
            for _ in range(5):
                tasks.start_soon(lambda: cache.get_or_load("k", load, ttl=60, type=int))
        assert await cache.get("k", type=int) == 7

    anyio.run(main, backend="asyncio")
