"""What both stores keep for relays, step by step on the same walk: what one answers the other answers."""

import random
from collections.abc import Awaitable, Callable, Mapping

import pytest

from penstock.engine import memory_watch
from penstock.engine.errors import QueueFull
from penstock.engine.memory_store import MemoryStore
from penstock.engine.outbox import Entry
from penstock.engine.redis_store import RedisStore
from support.redis_server import ValkeyServer
from support.stores import StoreHarness, memory_harness, new_job, redis_harness

QUEUE, SILENCE, STEPS = "alike", 1_000, 300
SINKS, RELAYS = ("s1", "s2"), ("r1", "r2", "r3")


class Walk:
    """Random calls about two sinks and three relays; ids stay inside, as each store has its own."""

    def __init__(self, harness: StoreHarness, seed: int) -> None:
        assert isinstance(harness.store, RedisStore | MemoryStore)
        self._harness = harness
        self._store = harness.store
        self._outbox = harness.store.outbox
        self._rng = random.Random(seed)
        self._seen: dict[str, list[Entry]] = {sink: [] for sink in SINKS}
        self._jobs = 0
        self._steps: Mapping[Callable[[], Awaitable[object]], int] = {
            self._end: 6,
            self._take: 6,
            self._acknowledge: 4,
            self._set_aside: 1,
            self._retire: 1,
            self._enlist: 2,
            self._withdraw: 1,
            self._advance: 2,
        }

    async def step(self) -> object:
        """One call's answer, and what the store says then."""
        (call,) = self._rng.choices(list(self._steps), list(self._steps.values()))
        return call.__name__, await call(), await self._outbox.backlog(QUEUE)

    async def _end(self) -> object:
        self._jobs += 1
        try:
            await self._store.submit(QUEUE, [new_job(str(self._jobs))])
        except QueueFull as error:
            return str(error)
        return await self._store.cancel(QUEUE, str(self._jobs))

    async def _take(self) -> object:
        sink, relay, count = self._rng.choice(SINKS), self._rng.choice(RELAYS), self._rng.randint(1, 4)
        taken = await self._outbox.take(QUEUE, sink, relay, count, SILENCE)
        if taken is None:
            return None
        self._seen[sink] += taken.entries
        kept = [(entry.suffix, entry.at, entry.record) for entry in taken.entries]
        return taken.now, taken.behind, taken.since, kept

    def _some(self) -> tuple[str, list[str]]:
        sink = self._rng.choice(SINKS)
        seen = self._seen[sink][-8:]
        return sink, [entry.id for entry in self._rng.sample(seen, self._rng.randint(0, len(seen)))]

    async def _acknowledge(self) -> object:
        sink, ids = self._some()
        return await self._outbox.acknowledge(QUEUE, sink, ids)

    async def _set_aside(self) -> object:
        sink, ids = self._some()
        return await self._outbox.set_aside(QUEUE, sink, ids[:1])

    async def _retire(self) -> object:
        return await self._outbox.retire(QUEUE, self._rng.choice(SINKS), self._rng.choice(RELAYS))

    async def _enlist(self) -> object:
        return await self._outbox.enlist(QUEUE, self._rng.choice(SINKS), self._rng.choice((10, 1000)))

    async def _withdraw(self) -> object:
        sink = self._rng.choice(SINKS)
        self._seen[sink].clear()  # with the last sink ids may begin anew
        return await self._outbox.withdraw(QUEUE, sink)

    async def _advance(self) -> None:
        await self._harness.advance(self._rng.choice((1, SILENCE // 2, SILENCE)))


async def walked(harness: StoreHarness, seed: int) -> list[object]:
    """All answers on one walk."""
    walk = Walk(harness, seed)
    return [await walk.step() for _ in range(STEPS)]


@pytest.mark.parametrize("seed", range(12))
async def test_both_stores_keep_the_same_for_relays(
    server: ValkeyServer, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who has what, who is behind by how much and since when, and what is refused: equal at every step."""
    monkeypatch.setattr(memory_watch, "INTERVAL", 0.0)  # else a new sink's bound is known a second later
    async with memory_harness() as memory, redis_harness(server.url) as redis:
        expected, actual = await walked(memory, seed), await walked(redis, seed)
    for number, (specified, given) in enumerate(zip(expected, actual, strict=True)):
        assert given == specified, f"step {number}"
