"""The memory store's door for relays; what its steps do is in `relaying`."""

from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Concatenate, ParamSpec, Protocol, TypeVar

import anyio
from anyio.lowlevel import checkpoint

from penstock.engine.memory_store import relaying
from penstock.engine.memory_store.outbox_state import OutboxState
from penstock.engine.memory_store.state import QueueState
from penstock.engine.outbox import Backlog, Taken

P = ParamSpec("P")
R = TypeVar("R")


class Step(Protocol):
    """One step of the store, on its clock."""

    def __call__(
        self,
        queue: str,
        decide: Callable[Concatenate[QueueState, int, P], R],
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> Awaitable[R]:
        """Decide, and answer."""
        ...


class MemoryOutbox:
    """Implements `penstock.engine.outbox.Outbox`."""

    def __init__(
        self, state: Callable[[str], QueueState], step: Step, remember: Callable[[str], None]
    ) -> None:
        self._state = state
        self._step = step
        self._remember = remember

    async def enlist(self, queue: str, sink: str, most: int) -> bool:
        self._remember(queue)
        return await self._step(queue, relaying.enlist, sink, most)

    async def withdraw(self, queue: str, sink: str) -> int | None:
        return await self._step(queue, relaying.withdraw, sink)

    async def take(self, queue: str, sink: str, relay: str, count: int, silence: int) -> Taken | None:
        return await self._step(queue, relaying.take, sink, relay, count, silence)

    async def acknowledge(self, queue: str, sink: str, ids: Sequence[str]) -> int:
        return await self._step(queue, relaying.acknowledge, sink, ids)

    async def set_aside(self, queue: str, sink: str, ids: Sequence[str]) -> int:
        return await self._step(queue, relaying.set_aside, sink, ids)

    async def retire(self, queue: str, sink: str, relay: str) -> int:
        return await self._step(queue, relaying.retire, sink, relay)

    async def backlog(self, queue: str) -> Backlog:
        return await self._step(queue, relaying.backlog)

    @asynccontextmanager
    async def news(self, queue: str) -> AsyncGenerator["MemoryNews"]:
        await checkpoint()
        yield MemoryNews(self._state(queue).outbox)


class MemoryNews:
    """Waits for the next entry."""

    def __init__(self, outbox: OutboxState) -> None:
        self._outbox = outbox

    async def wait(self, after: str, seconds: float) -> None:
        """See `penstock.engine.outbox.News`."""
        await checkpoint()
        with anyio.move_on_after(seconds):
            while self._outbox.last <= relaying.number_of(after):
                await self._outbox.news.wait()
