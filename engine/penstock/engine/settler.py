"""The settler: what finishes while a flush is in flight rides the next one."""

import random
import time
from collections.abc import Callable

import msgspec
import trio

from penstock.engine.attempt import Attempt
from penstock.engine.events import JobsReleased, Settled, SettlementRefused
from penstock.engine.failure_counts import Failure, failure_of
from penstock.engine.held import Held
from penstock.engine.job import JobState
from penstock.engine.limits import DEAD_TTL, MAX_DELAY, RESULT_TTL
from penstock.engine.outcome import (
    Cancelled,
    Dead,
    Expired,
    Lost,
    Outcome,
    Released,
    Retry,
    Succeeded,
)
from penstock.engine.record import Ending, encode_ending
from penstock.engine.runner import Finished
from penstock.engine.seams import Seams
from penstock.engine.store import Settlement, Store

PARK_SECONDS = 5.0
"""How long a job that this worker does not know rests before it is offered again."""
FLUSH = 200
"""Endings in one flush: keeps the script short for the others who share the server."""


class Settler:
    """Ends attempts of one queue in the store for one worker id; owned by its shift."""

    def __init__(
        self, store: Store, seams: Seams, queue: str, worker: str, done: Callable[[Held], None]
    ) -> None:
        """`done` hears of each job that this worker is rid of."""
        self._store = store
        self._queue = queue
        self._seams = seams
        self._worker = worker
        self._done = done
        self._endings: list[tuple[Held, Settlement, Attempt | None]] = []
        self._returns: list[tuple[Held, str]] = []
        self._flushing = 0
        self._work = trio.Event()
        self._closed = False

    def __len__(self) -> int:
        """Endings and returns that the store has not acknowledged."""
        return len(self._endings) + len(self._returns) + self._flushing

    def put(self, held: Held, finished: Finished) -> None:
        """Take one outcome; never blocks. The buffer is bounded by what the worker may hold."""
        outcome = finished.outcome
        if isinstance(outcome, Lost):
            self._done(held)
        elif isinstance(outcome, Released) and outcome.reason == "shutdown":
            self.give_back(held, outcome.reason)
        else:
            self._endings.append((held, self._settlement(held, finished), finished.ran))
            self._work.set()

    def give_back(self, held: Held, reason: str) -> None:
        """Return a job to the head of its line, in front of those returned later; never blocks.

        No attempt is consumed.
        """
        self._returns.append((held, reason))
        self._work.set()

    def close(self) -> None:
        """End `run` once everything is flushed."""
        self._closed = True
        self._work.set()

    async def run(self) -> None:
        """Flush until closed; raises `StoreUnavailable` with nothing lost: run it again."""
        while True:
            while self._endings or self._returns:
                await self._flush()
            if self._closed:
                return
            self._work = trio.Event()
            await self._work.wait()

    async def _flush(self) -> None:
        # Returns from behind, because each flush goes to the head of its lines.
        first = max(0, len(self._returns) - FLUSH)
        endings, returns = self._endings[:FLUSH], self._returns[first:]
        del self._endings[:FLUSH], self._returns[first:]
        self._flushing = len(endings) + len(returns)
        try:
            await self._release(returns)
            await self._settle(endings)
        except BaseException:
            # Sending them again is safe: what had been acknowledged recognises itself.
            self._endings[:0] = endings
            self._returns[first:first] = returns
            raise
        finally:
            self._flushing = 0
        for held, _ in returns:
            self._done(held)
        for held, _, _ in endings:
            self._done(held)

    async def _settle(self, batch: list[tuple[Held, Settlement, Attempt | None]]) -> None:
        if not batch:
            return
        began, queue = time.perf_counter(), self._queue
        verdicts = await self._store.settle(queue, self._worker, [ending for _, ending, _ in batch])
        seconds = time.perf_counter() - began
        emit = self._seams.observers.emit
        ran = [attempt for _, _, attempt in batch if attempt is not None]
        emit(Settled(queue, len(batch), verdicts.count("refused"), seconds, ran))
        for (held, _, _), verdict in zip(batch, verdicts, strict=True):
            if verdict == "refused":
                emit(SettlementRefused(f"{queue}.{held.claimed.suffix}", queue, self._worker))

    async def _release(self, batch: list[tuple[Held, str]]) -> None:
        if not batch:
            return
        pairs = [(held.claimed.suffix, held.claimed.token) for held, _ in batch]
        released = await self._store.release(self._queue, self._worker, pairs)
        self._seams.observers.emit(JobsReleased(self._queue, len(released.suffixes), batch[0][1]))

    def _settlement(self, held: Held, finished: Finished) -> Settlement:
        state, delay = _state_and_delay(finished)
        failure = None if state is JobState.SUCCEEDED else _failure(finished)
        return Settlement(
            held.claimed.suffix,
            held.claimed.token,
            state,
            finished.attempt,
            round(delay * 1000),
            encode_ending(_ending(finished, self._worker)),
            failure,
        )


def _state_and_delay(finished: Finished) -> tuple[JobState, float]:
    """The state to write, and seconds: until it is due again, or for which a final record is kept."""
    outcome = finished.outcome
    kept = finished.definition.policy.result_ttl if finished.definition else RESULT_TTL
    match outcome:
        case Succeeded():
            return JobState.SUCCEEDED, kept
        case Retry():
            delay = min(outcome.delay or 0.0, MAX_DELAY)  # whatever a handler asked for
            return (JobState.SCHEDULED, delay) if delay > 0 else (JobState.READY, 0.0)
        case Dead():
            return JobState.DEAD, DEAD_TTL
        case Cancelled():
            return JobState.CANCELLED, kept
        case Expired():
            return JobState.EXPIRED, kept
        case _:  # Released: this worker does not know the job, or its record is newer
            return JobState.PARKED, PARK_SECONDS * random.uniform(0.5, 1.5)


def _failure(finished: Finished) -> Failure | None:
    """What is to be counted of it."""
    error = finished.outcome.error if isinstance(finished.outcome, Retry | Dead) else None
    job = finished.definition.name if finished.definition else finished.job
    return failure_of(job, error) if error is not None else None


def _ending(finished: Finished, worker: str) -> Ending:
    outcome: Outcome = finished.outcome
    now = time.time_ns() // 1_000_000
    if isinstance(outcome, Succeeded):
        return Ending(worker, finished.started, now, outcome.result)
    error = outcome.error if isinstance(outcome, Retry | Dead) else None
    return Ending(worker, finished.started, now, msgspec.Raw(b"\xc0"), error)
