"""Whatever ends early, and in whatever order: one load at a time, and everybody who stays has a value."""

import random

import pytest
import trio
from trio.testing import MockClock

from penstock.engine.cache import Cache, CacheSettings, MemoryCacheStore
from penstock.engine.cache.store import Place, Turn


class Delayed(MemoryCacheStore):
    """Every call takes a while, before and after it happens."""

    def __init__(self, rng: random.Random) -> None:
        super().__init__()
        self.rng = rng

    async def read_or_lock(self, place: Place, token: str, seconds: float) -> bytes | Turn:
        await self._pause()
        found = await super().read_or_lock(place, token, seconds)
        await self._pause()
        return found

    async def fill(self, place: Place, token: str, data: bytes, ttl: float) -> bool:
        await self._pause()
        filled = await super().fill(place, token, data, ttl)
        await self._pause()
        return filled

    async def unlock(self, place: Place, token: str) -> None:
        await self._pause()
        await super().unlock(place, token)

    async def _pause(self) -> None:
        await trio.sleep(self.rng.uniform(0, 0.1))


class Source:
    """Loads that must not overlap."""

    def __init__(self, rng: random.Random) -> None:
        self.rng = rng
        self.busy = False
        self.loaded: set[int] = set()

    async def load(self) -> int:
        assert not self.busy
        self.busy = True
        try:
            await trio.sleep(self.rng.uniform(0, 5))
        finally:
            self.busy = False
        self.loaded.add(len(self.loaded))
        return len(self.loaded) - 1


@pytest.mark.parametrize("seed", range(12))
async def test_one_load_at_a_time_and_a_value_for_everybody(seed: int, autojump_clock: MockClock) -> None:
    """Four processes, forty callers, a third of them with a deadline that may come at any point."""
    rng = random.Random(seed)
    store, source = Delayed(rng), Source(rng)
    settings = CacheSettings(wait=1000)
    caches = [Cache(store, settings, rng=rng) for _ in range(4)]
    got: list[int] = []

    async def call(cache: Cache, after: float, patience: float) -> None:
        await trio.sleep(after)
        with trio.move_on_after(patience):
            value = await cache.get_or_load("k", source.load, ttl=2, type=int)
            got.append(value)

    with trio.fail_after(500):
        async with trio.open_nursery() as nursery:
            for number in range(40):
                patience = rng.uniform(0, 6) if number % 3 == 0 else 400.0
                nursery.start_soon(call, rng.choice(caches), rng.uniform(0, 8), patience)

    assert len(got) >= 26
    assert set(got) <= source.loaded
    assert store._locks == {}, "whoever was cancelled has given up its lock"
