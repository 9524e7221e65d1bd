"""Who loads, who waits, and what happens when one of them ends early."""

from collections.abc import Awaitable, Callable

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from job_cache.heard import Heard
from penstock.engine.cache import Cache, MemoryCacheStore
from penstock.engine.cache.store import Place, Turn
from penstock.engine.errors import StoreUnavailable


class Source:
    """Something dear: how often and how many at once it was asked; each load takes `seconds`."""

    def __init__(self, seconds: float = 1.0) -> None:
        self.seconds = seconds
        self.loads = 0
        self.at_once = 0
        self.most_at_once = 0

    async def load(self) -> int:
        self.loads += 1
        number = self.loads
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            await trio.sleep(self.seconds)
        finally:
            self.at_once -= 1
        return number


class Callers:
    """Tasks that read one key and note what they got; each can be cancelled by itself.

    `loader` is the scope of the one that loaded last.
    """

    def __init__(self, nursery: trio.Nursery) -> None:
        self.nursery = nursery
        self.got: list[object] = []
        self.loader = trio.CancelScope()

    async def start(self, cache: Cache, load: Callable[[], Awaitable[int]]) -> trio.CancelScope:
        scope = trio.CancelScope()

        async def note_and_load() -> int:
            self.loader = scope
            return await load()

        async def call() -> None:
            with scope:
                try:
                    self.got.append(await cache.get_or_load("k", note_and_load, ttl=60, type=int))
                except (LookupError, ValueError) as error:
                    self.got.append(error)

        self.nursery.start_soon(call)
        await wait_all_tasks_blocked()
        return scope


async def test_many_callers_of_a_process_load_once(autojump_clock: MockClock, heard: Heard) -> None:
    """A hundred ask, one loads, all have the value when it is there."""
    source, cache = Source(), Cache(MemoryCacheStore())
    started = trio.current_time()
    async with trio.open_nursery() as nursery:
        callers = Callers(nursery)
        for _ in range(100):
            await callers.start(cache, source.load)
    assert source.loads == 1
    assert callers.got == [1] * 100
    assert trio.current_time() - started == pytest.approx(1)
    assert [labels for labels, _ in heard.observed("cache_wait_seconds")] == [("", "process")] * 99


async def test_many_processes_load_once(autojump_clock: MockClock, heard: Heard) -> None:
    """Those that find the lock taken look again until the value is there, soon after it is."""
    source, store = Source(), MemoryCacheStore()
    async with trio.open_nursery() as nursery:
        callers = Callers(nursery)
        started = trio.current_time()
        for _ in range(10):
            await callers.start(Cache(store), source.load)
    assert source.loads == 1
    assert callers.got == [1] * 10
    assert trio.current_time() - started < 1.0 + 0.11
    waits = heard.observed("cache_wait_seconds")
    assert [labels for labels, _ in waits] == [("", "elsewhere")] * 9
    assert all(0.9 < seconds < 1.2 for _, seconds in waits)


async def test_waiting_in_a_process_does_not_poll(autojump_clock: MockClock) -> None:
    """While one waits for another process, the others of its process ask the store nothing."""

    class Counting(MemoryCacheStore):
        looks = 0

        async def read_or_lock(self, place: Place, token: str, seconds: float) -> bytes | Turn:
            self.looks += 1
            return await super().read_or_lock(place, token, seconds)

    store, source = Counting(), Source()
    async with trio.open_nursery() as nursery:
        callers = Callers(nursery)
        await callers.start(Cache(store), source.load)
        here = Cache(store)
        for _ in range(50):
            await callers.start(here, source.load)
    assert source.loads == 1
    assert store.looks < 30


async def test_when_the_loader_is_cancelled_one_who_waits_takes_over(
    autojump_clock: MockClock, heard: Heard
) -> None:
    """In its own task, at once; the rest go on waiting, and no two load at the same time."""
    source, cache = Source(), Cache(MemoryCacheStore())
    async with trio.open_nursery() as nursery:
        callers = Callers(nursery)
        for _ in range(10):
            await callers.start(cache, source.load)
        for _ in range(3):
            callers.loader.cancel()
            await wait_all_tasks_blocked()
        started = trio.current_time()
    assert callers.got == [4] * 7
    assert source.most_at_once == 1
    assert trio.current_time() - started == pytest.approx(1)
    assert heard.tally("cache_loads") == {("", "cancelled"): 3, ("", "loaded"): 1}


async def test_one_who_waits_can_be_cancelled(autojump_clock: MockClock) -> None:
    """It harms neither the loader nor the others."""
    source, cache = Source(), Cache(MemoryCacheStore())
    async with trio.open_nursery() as nursery:
        callers = Callers(nursery)
        scopes = [await callers.start(cache, source.load) for _ in range(5)]
        scopes[2].cancel()
    assert callers.got == [1] * 4
    assert source.loads == 1


async def test_a_cancelled_loader_gives_up_its_lock(autojump_clock: MockClock) -> None:
    """Another process need not wait for the lock's end."""
    source, store = Source(), MemoryCacheStore()
    async with trio.open_nursery() as nursery:
        callers = Callers(nursery)
        scope = await callers.start(Cache(store), source.load)
        await callers.start(Cache(store), source.load)
        scope.cancel()
        started = trio.current_time()
    assert callers.got == [2]
    assert trio.current_time() - started < 1.2


async def test_a_lock_that_nobody_knows_of_is_given_up(autojump_clock: MockClock) -> None:
    """Whoever is cancelled while the answer is on its way may hold it."""

    class Slow(MemoryCacheStore):
        async def read_or_lock(self, place: Place, token: str, seconds: float) -> bytes | Turn:
            found = await super().read_or_lock(place, token, seconds)
            await trio.sleep(0.2)
            return found

    store = Slow()
    with trio.move_on_after(0.1):
        await Cache(store).get_or_load("k", Source().load, ttl=60, type=int)
    assert store._locks == {}


class Mortal(MemoryCacheStore):
    """The store as a process sees it that may die: from then on nothing of it arrives."""

    def __init__(self, shared: MemoryCacheStore) -> None:
        self._entries = shared._entries
        self._locks = shared._locks
        self.dead = False

    async def renew(self, place: Place, token: str, seconds: float) -> bool:
        return await super().renew(place, token, seconds) if not self.dead else await self._nothing()

    async def unlock(self, place: Place, token: str) -> None:
        if not self.dead:
            await super().unlock(place, token)

    async def _nothing(self) -> bool:
        raise StoreUnavailable("dead")


async def test_when_a_loaders_process_dies_another_takes_over(autojump_clock: MockClock) -> None:
    """Once its lock has run out, three seconds after it was renewed for the last time."""
    source, shared = Source(5), MemoryCacheStore()
    dying = Mortal(shared)
    async with trio.open_nursery() as nursery:
        callers = Callers(nursery)
        scope = await callers.start(Cache(dying), source.load)
        await callers.start(Cache(shared), source.load)
        dying.dead = True
        scope.cancel()
        started = trio.current_time()
    assert callers.got == [2]
    assert 3 <= trio.current_time() - started - 5 < 3.2


async def test_a_lock_is_held_for_as_long_as_the_load_takes(autojump_clock: MockClock) -> None:
    """Loads may take longer than a lock lasts: it is renewed, and nobody else loads."""
    source, store = Source(9), MemoryCacheStore()
    async with trio.open_nursery() as nursery:
        callers = Callers(nursery)
        await callers.start(Cache(store), source.load)
        await callers.start(Cache(store), source.load)
    assert callers.got == [1, 1]
    assert await Cache(store).get("k", type=int) == 1


async def test_a_read_waits_for_another_process_for_a_bounded_time(autojump_clock: MockClock) -> None:
    """A loader that hangs and yet renews its lock holds nobody up for ever."""
    store = MemoryCacheStore()
    async with trio.open_nursery() as nursery:
        callers = Callers(nursery)
        hanging = await callers.start(Cache(store), Source(1e6).load)
        started = trio.current_time()
        assert await Cache(store).get_or_load("k", Source(1).load, ttl=60, type=int) == 1
        assert 11 <= trio.current_time() - started < 11.2
        hanging.cancel()


async def test_an_error_is_everybodys_who_waited(autojump_clock: MockClock) -> None:
    """They do not try one after the other; the next caller does."""
    tries = 0

    async def fail() -> int:
        nonlocal tries
        tries += 1
        await trio.sleep(1)
        raise LookupError("the database is away")

    cache = Cache(MemoryCacheStore())
    started = trio.current_time()
    async with trio.open_nursery() as nursery:
        callers = Callers(nursery)
        for _ in range(10):
            await callers.start(cache, fail)
    assert tries == 1
    assert [type(each) for each in callers.got] == [LookupError] * 10
    assert trio.current_time() - started == pytest.approx(1)
    with pytest.raises(LookupError):
        await cache.get_or_load("k", fail, ttl=60, type=int)
    assert tries == 2


async def test_an_error_in_one_process_lets_the_next_load(autojump_clock: MockClock) -> None:
    """Its lock is given up with it."""

    async def fail() -> int:
        await trio.sleep(1)
        raise LookupError

    source, store = Source(), MemoryCacheStore()
    async with trio.open_nursery() as nursery:
        callers = Callers(nursery)
        await callers.start(Cache(store), fail)
        await callers.start(Cache(store), source.load)
        started = trio.current_time()
    assert [each for each in callers.got if not isinstance(each, LookupError)] == [1]
    assert trio.current_time() - started < 2.2


@pytest.mark.parametrize("how", ["delete", "set"])
async def test_a_change_during_a_load_stands(how: str, autojump_clock: MockClock) -> None:
    """What was loaded before it is returned to those who waited, and kept nowhere; later readers load."""
    source, store = Source(), MemoryCacheStore()
    loading, elsewhere = Cache(store), Cache(store)
    async with trio.open_nursery() as nursery:
        callers = Callers(nursery)
        await callers.start(loading, source.load)
        if how == "delete":
            assert await elsewhere.delete("k")
        else:
            assert await elsewhere.set("k", 42, ttl=60)
    assert callers.got == [1]
    expected = 2 if how == "delete" else 42
    assert await loading.get_or_load("k", source.load, ttl=60, type=int) == expected


async def test_who_comes_after_a_deletion_does_not_join_an_older_load(autojump_clock: MockClock) -> None:
    """Also in the same process, where that load is still under way."""
    source, cache = Source(), Cache(MemoryCacheStore())
    async with trio.open_nursery() as nursery:
        callers = Callers(nursery)
        await callers.start(cache, source.load)
        await cache.delete("k")
        assert await cache.get_or_load("k", source.load, ttl=60, type=int) == 2
    assert callers.got == [1]


async def test_a_nested_load_of_another_key_works(autojump_clock: MockClock) -> None:
    """A load may read the cache itself."""
    cache = Cache(MemoryCacheStore())

    async def inner() -> int:
        return 1

    async def outer() -> int:
        return 1 + await cache.get_or_load("inner", inner, ttl=60, type=int)

    assert await cache.get_or_load("outer", outer, ttl=60, type=int) == 2
