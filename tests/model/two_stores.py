"""Both stores side by side on one clock: each call goes to both, and both must answer alike."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import AsyncExitStack
from types import TracebackType
from typing import Any, Self, TypeVar

import anyio

from model.guiding import guided
from model.views import View, check_keys, memory_view, redis_keys, redis_view
from penstock.engine import keys
from penstock.engine.errors import LeaseLost, QueueFull
from penstock.engine.memory_store import MemoryStore
from penstock.engine.memory_store.mail import Mailbox
from penstock.engine.redis_store import RedisStore
from penstock.engine.store import Claim, Ended, Heartbeat, Store, Wake
from penstock.engine.transport import Redis
from support.stores import START

T = TypeVar("T")
QUEUE = "q"
REFUSALS = (LeaseLost, QueueFull)
"""What a store may answer instead."""


class TwoStores:
    """A queue in both stores.

    Everything runs on an asyncio loop in the caller's thread, so that Hypothesis, which knows no loop, can
    drive it step by step: the stores work on asyncio as on Trio.
    """

    def __init__(self, url: str) -> None:
        self.now = START
        self._runner = asyncio.Runner()
        self._stack = AsyncExitStack()
        self._redis = Redis(url)
        self._ears: dict[str, tuple[AsyncIterator[Wake], AsyncIterator[Wake]]] = {}
        self.memory = MemoryStore(clock=lambda: self.now)
        self.redis = RedisStore(self._redis, test_clock=True)

    def __enter__(self) -> Self:
        self.run(self._open())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.run(self._stack.aclose())
        self._runner.close()

    async def _open(self) -> None:
        await self._stack.enter_async_context(self._redis)
        await self._redis.execute("FLUSHALL")
        await self._redis.execute("SET", "penstock:clock", self.now)
        memory = await self._stack.enter_async_context(self.memory.endings(QUEUE))
        redis = await self._stack.enter_async_context(self.redis.endings(QUEUE))
        self._endings = memory, redis

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Let the loop run until `work` is done."""
        return self._runner.run(work)

    def advance(self, milliseconds: int) -> None:
        """Let time pass for both."""
        self.now += milliseconds
        self.run(self._advance())

    async def _advance(self) -> None:
        await self._redis.execute("SET", "penstock:clock", self.now)

    # --- asking both ---------------------------------------------------------------------

    def ask(self, question: Callable[[Store], Awaitable[T]]) -> T | None:
        """The answer that both give; None where both refuse for the same reason."""
        return self.run(self._ask(question))

    async def _ask(self, question: Callable[[Store], Awaitable[T]]) -> T | None:
        given, refused = await _answer(question, self.redis)
        specified, reason = await _answer(question, self.memory)
        assert (given, refused) == (specified, reason), f"Redis {given, refused}, memory {specified, reason}"
        return given

    def claim(self, worker: str, number: int, count: int, **how: bool) -> Claim | None:
        """As `ask`; which tenant's turn it was is Redis' to choose."""

        async def claim() -> Claim | None:
            given = await self.redis.claim(QUEUE, worker, number, count, **how)
            chosen = [job.suffix for job in given.jobs] if given is not None else []
            with guided(self.memory._queue(QUEUE), chosen):
                expected = await self.memory.claim(QUEUE, worker, number, count, **how)
            assert given == expected, f"Redis {given}, memory {expected}"
            return given

        return self.run(claim())

    # --- word that came -------------------------------------------------------------------

    def listen(self, worker: str) -> None:
        """From now on the worker hears its wake-ups, from both."""

        async def listen() -> None:
            memory = await self._stack.enter_async_context(self.memory.listen(worker, [QUEUE]))
            redis = await self._stack.enter_async_context(self.redis.listen(worker, [QUEUE]))
            self._ears[worker] = memory, redis

        if worker not in self._ears:
            self.run(listen())

    async def _compare_wakes(self) -> None:
        for worker, (memory, redis) in self._ears.items():
            expected = _unread(memory)
            await self._redis.execute("SPUBLISH", keys.wake(QUEUE, worker), "cancel end-of-step")
            heard: list[Wake] = []
            while (wake := await anext(redis)).cancel != "end-of-step":
                heard.append(wake)
            assert heard == expected, f"{worker} was told {heard}, the specification says {expected}"

    async def _compare_endings(self) -> None:
        memory, redis = self._endings
        for ended in _unread(memory):
            assert await anext(redis) == ended

    def compare(self) -> View:
        """What both stores hold, and have told since the last time, is the same: the view that they share."""

        async def compare() -> View:
            await self._compare_wakes()
            await self._compare_endings()
            found = await redis_keys(self._redis, QUEUE)
            view = redis_view(found)
            differences = view.differences(memory_view(self.memory._queue(QUEUE)))
            assert not differences, f"Redis, memory: {differences}"
            check_keys(found, view)
            return view

        return self.run(compare())


async def _answer(
    question: Callable[[Store], Awaitable[T]], store: Store
) -> tuple[T | None, type[Exception] | None]:
    try:
        answer = await question(store)
        if isinstance(answer, Heartbeat):
            answer.cancels.sort()  # nobody says in which order they come
        return answer, None
    except REFUSALS as refusal:
        return None, type(refusal)


def _unread(messages: Any) -> list[Any]:
    """What the store in memory has sent so far."""
    assert isinstance(messages, Mailbox)
    unread: list[Wake | Ended] = []
    while True:
        try:
            unread.append(messages._out.receive_nowait())
        except anyio.WouldBlock:
            return unread
