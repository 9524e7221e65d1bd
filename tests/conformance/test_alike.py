"""Both stores, step by step on the same walk: what one answers the other answers."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from conformance.test_walk import STEPS, Walk
from penstock.engine.store import Store
from support.redis_server import ValkeyServer
from support.stores import QueueUnderTest, StoreHarness, memory_harness, redis_harness


class Overheard:
    """A store that keeps every answer it gives."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.answers: list[tuple[str, object]] = []

    def __getattr__(self, name: str) -> Callable[..., Awaitable[Any]]:
        method = getattr(self._store, name)

        async def call(*args: Any, **kwargs: Any) -> Any:
            answer = await method(*args, **kwargs)
            self.answers.append((name, answer))
            return answer

        return call


async def walk(harness: StoreHarness, seed: int) -> list[tuple[str, object]]:
    """All answers on one walk."""
    overheard: Any = Overheard(harness.store)
    harness.store = overheard
    queue = QueueUnderTest(harness, name="alike")
    path = Walk(queue, seed, tenants=["-"])  # whose turn it is among several is left to the store
    for _ in range(STEPS):
        await path.step()
    answers: list[tuple[str, object]] = overheard.answers
    return answers


@pytest.mark.parametrize("seed", range(100, 106))
async def test_both_stores_answer_alike(server: ValkeyServer, seed: int) -> None:
    """Records, tokens, order, verdicts, facts: all equal, at every step."""
    async with memory_harness() as memory, redis_harness(server.url) as redis:
        expected, actual = await walk(memory, seed), await walk(redis, seed)
    for number, (specified, given) in enumerate(zip(expected, actual, strict=False)):
        assert given == specified, f"answer {number}"
    assert len(actual) == len(expected)
