"""`MemoryStore`: each method is one checkpoint, then one synchronous step."""

import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, ExitStack, asynccontextmanager, closing
from typing import Concatenate, ParamSpec, TypeVar

from anyio.lowlevel import checkpoint

from penstock.engine.failure_counts import Failure, FailureCount
from penstock.engine.job import Job
from penstock.engine.memory_store import claiming, failing, leasing, moving, operating, settling, submitting
from penstock.engine.memory_store.mail import Mailbox
from penstock.engine.memory_store.outbox import MemoryOutbox
from penstock.engine.memory_store.schedules import MemorySchedules
from penstock.engine.memory_store.state import QueueState
from penstock.engine.record import Record
from penstock.engine.store import (
    PLAIN,
    SLICE,
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
    Submitted,
    Terms,
    Verdict,
    Wake,
)

P = ParamSpec("P")
R = TypeVar("R")


def wall_clock() -> int:
    """Milliseconds since the epoch."""
    return time.time_ns() // 1_000_000


class MemoryStore:
    """A `Store` that lives and dies with its process, under Trio or asyncio; for tests.

    `clock` gives milliseconds since the epoch. On Trio's virtual clock:
    `MemoryStore(clock=lambda: int(trio.current_time() * 1000))`.
    """

    def __init__(self, clock: Callable[[], int] = wall_clock) -> None:
        self._clock = clock
        self._queues: dict[str, QueueState] = {}
        self._used: set[str] = set()  # names of queues
        self.outbox = MemoryOutbox(self._queue, self._step, self._used.add)
        self.schedules = MemorySchedules(self._step, self._used.add)

    def _queue(self, name: str) -> QueueState:
        if name not in self._queues:
            self._queues[name] = QueueState(name)
        return self._queues[name]

    async def _step(
        self,
        queue: str,
        decide: Callable[Concatenate[QueueState, int, P], R],
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> R:
        await checkpoint()  # before the step: cancelled here, nothing was done
        now, state = self._clock(), self._queue(queue)
        state.jobs.remove_expired(now)
        return decide(state, now, *args, **kwargs)

    # --- for submitters -----------------------------------------------------------------

    async def submit(self, queue: str, jobs: Sequence[NewJob], terms: Terms = PLAIN) -> list[Submitted]:
        answers: list[Submitted] = []
        for start in range(0, len(jobs), SLICE):
            self._used.add(queue)
            answers += await self._step(queue, submitting.submit, jobs[start : start + SLICE], terms)
        return answers

    async def look(self, queue: str, suffix: str) -> Job | None:
        return await self._step(queue, submitting.look, suffix)

    async def read(self, queue: str, suffix: str) -> Record | None:
        return await self._step(queue, submitting.read, suffix)

    async def cancel(self, queue: str, suffix: str) -> Cancellation | None:
        return await self._step(queue, submitting.cancel, suffix)

    def endings(self, queue: str) -> AbstractAsyncContextManager[AsyncIterator[Ended]]:
        return self._endings(queue)

    @asynccontextmanager
    async def _endings(self, queue: str) -> AsyncGenerator[AsyncIterator[Ended]]:
        await checkpoint()
        with closing(Mailbox[Ended]()) as box, self._queue(queue).mail.watching(box):
            yield box

    # --- for workers --------------------------------------------------------------------

    async def join(self, queue: str, worker: str, lease: int, slots: int = 0) -> None:
        self._used.add(queue)
        await self._step(queue, leasing.join, worker, lease, slots)

    async def heartbeat(self, queue: str, worker: str, lease: int) -> Heartbeat | None:
        return await self._step(queue, leasing.heartbeat, worker, lease)

    async def leave(self, queue: str, worker: str) -> Released:
        return await self._step(queue, leasing.leave, worker)

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
        return await self._step(
            queue, claiming.claim, worker, number, count, suspect=suspect, idle=idle, handed=handed
        )

    async def return_claim(self, queue: str, worker: str, number: int) -> Released:
        return await self._step(queue, claiming.return_claim, worker, number)

    async def release(self, queue: str, worker: str, held: Sequence[tuple[str, int]]) -> Released:
        return await self._step(queue, claiming.release, worker, held)

    async def settle(self, queue: str, worker: str, settlements: Sequence[Settlement]) -> list[Verdict]:
        return await self._step(queue, settling.settle, worker, settlements)

    async def promote(self, queue: str, limit: int = 500) -> Promotion:
        return await self._step(queue, moving.promote, limit)

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
        return await self._step(
            queue,
            moving.reap,
            max_crashes=max_crashes,
            ending=ending,
            keep=keep,
            failure=failure,
            limit=limit,
            patience=patience,
        )

    def listen(self, worker: str, queues: Sequence[str]) -> AbstractAsyncContextManager[AsyncIterator[Wake]]:
        return self._listen(worker, queues)

    @asynccontextmanager
    async def _listen(self, worker: str, queues: Sequence[str]) -> AsyncGenerator[AsyncIterator[Wake]]:
        await checkpoint()
        with ExitStack() as stack:
            box = stack.enter_context(closing(Mailbox[Wake]()))
            for queue in queues:
                stack.enter_context(self._queue(queue).mail.listening(worker, box))
            yield box

    async def nudge(self, queue: str) -> None:
        await self._step(queue, claiming.nudge)

    # --- for operators ------------------------------------------------------------------

    async def facts(self, queue: str) -> QueueFacts:
        return await self._step(queue, operating.facts)

    async def report(self, queue: str, reporter: str, lease: int) -> QueueFacts | None:
        return await self._step(queue, operating.report, reporter, lease)

    async def resign(self, queue: str, reporter: str) -> None:
        await self._step(queue, operating.resign, reporter)

    async def memory(self, queue: str) -> float:
        await checkpoint()
        return 0.0

    async def failures(self, queue: str) -> list[FailureCount]:
        return await self._step(queue, failing.failures)

    async def queues(self) -> list[str]:
        await checkpoint()
        return sorted(self._used)

    async def ping(self) -> None:
        await checkpoint()
