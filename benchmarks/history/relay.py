"""A store in front of a store: what wrappers that record, delay or lose calls have in common."""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from functools import partial
from typing import TypeVar

from penstock.engine.failure_counts import Failure, FailureCount
from penstock.engine.job import Job
from penstock.engine.periodic_store import Schedules
from penstock.engine.record import Record
from penstock.engine.store import (
    PLAIN,
    Cancellation,
    Claim,
    Ended,
    Heartbeat,
    NewJob,
    Promotion,
    QueueFacts,
    Reaping,
    Released,
    Settlement,
    Store,
    Submitted,
    Terms,
    Verdict,
    Wake,
)

T = TypeVar("T")


class Relay:
    """Passes every call on to `inner` through `relay`, which a subclass may make slow or unreliable."""

    def __init__(self, inner: Store) -> None:
        self.inner = inner

    async def relay(self, call: Callable[[], Awaitable[T]]) -> T:
        """Carry one call out."""
        return await call()

    @property
    def schedules(self) -> Schedules:
        """As they are: nothing here comes by itself."""
        return self.inner.schedules

    async def submit(self, queue: str, jobs: Sequence[NewJob], terms: Terms = PLAIN) -> list[Submitted]:
        return await self.relay(partial(self.inner.submit, queue, jobs, terms))

    async def look(self, queue: str, suffix: str) -> Job | None:
        return await self.relay(partial(self.inner.look, queue, suffix))

    async def read(self, queue: str, suffix: str) -> Record | None:
        return await self.relay(partial(self.inner.read, queue, suffix))

    async def cancel(self, queue: str, suffix: str) -> Cancellation | None:
        return await self.relay(partial(self.inner.cancel, queue, suffix))

    def endings(self, queue: str) -> AbstractAsyncContextManager[AsyncIterator[Ended]]:
        return self.inner.endings(queue)

    async def join(self, queue: str, worker: str, lease: int, slots: int = 0) -> None:
        await self.relay(partial(self.inner.join, queue, worker, lease, slots))

    async def heartbeat(self, queue: str, worker: str, lease: int) -> Heartbeat | None:
        return await self.relay(partial(self.inner.heartbeat, queue, worker, lease))

    async def leave(self, queue: str, worker: str) -> Released:
        return await self.relay(partial(self.inner.leave, queue, worker))

    async def claim(
        self,
        queue: str,
        worker: str,
        number: int,
        count: int,
        *,
        suspect: bool,
        idle: bool,
        handed: bool = False,
    ) -> Claim | None:
        claim = partial(self.inner.claim, queue, worker, number, count, suspect=suspect)
        return await self.relay(partial(claim, idle=idle, handed=handed))

    async def return_claim(self, queue: str, worker: str, number: int) -> Released:
        return await self.relay(partial(self.inner.return_claim, queue, worker, number))

    async def release(self, queue: str, worker: str, held: Sequence[tuple[str, int]]) -> Released:
        return await self.relay(partial(self.inner.release, queue, worker, held))

    async def settle(self, queue: str, worker: str, settlements: Sequence[Settlement]) -> list[Verdict]:
        return await self.relay(partial(self.inner.settle, queue, worker, settlements))

    async def promote(self, queue: str, limit: int = 500) -> Promotion:
        return await self.relay(partial(self.inner.promote, queue, limit))

    async def reap(
        self,
        queue: str,
        *,
        max_crashes: int,
        ending: bytes,
        keep: int,
        failure: Failure | None = None,
        limit: int = 500,
        patience: int = 0,
    ) -> Reaping:
        reap = partial(self.inner.reap, queue, max_crashes=max_crashes, ending=ending, keep=keep)
        return await self.relay(partial(reap, failure=failure, limit=limit, patience=patience))

    def listen(self, worker: str, queues: Sequence[str]) -> AbstractAsyncContextManager[AsyncIterator[Wake]]:
        return self.inner.listen(worker, queues)

    async def nudge(self, queue: str) -> None:
        await self.relay(partial(self.inner.nudge, queue))

    async def facts(self, queue: str) -> QueueFacts:
        return await self.relay(partial(self.inner.facts, queue))

    async def report(self, queue: str, reporter: str, lease: int) -> QueueFacts | None:
        return await self.relay(partial(self.inner.report, queue, reporter, lease))

    async def resign(self, queue: str, reporter: str) -> None:
        await self.relay(partial(self.inner.resign, queue, reporter))

    async def memory(self, queue: str) -> float:
        return await self.relay(partial(self.inner.memory, queue))

    async def failures(self, queue: str) -> list[FailureCount]:
        return await self.relay(partial(self.inner.failures, queue))

    async def queues(self) -> list[str]:
        return await self.relay(self.inner.queues)

    async def ping(self) -> None:
        await self.relay(self.inner.ping)
