"""What happens with every job waits here for a moment, to be told a batch at a time.

Code that runs in between other code is slow: told one by one, the same facts cost twice as much. A batch is
told when it is full, when its jobs are settled, when anything else happens, before each scrape, and twice a
second where `Telemetry.watch` runs. So a line comes a few milliseconds late, with the time at which it
happened; and what a killed process has not told are attempts that it has not settled either: they will be
made again.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec

from penstock.engine.attempt import Attempt
from penstock.engine.events import Event, JobEnqueued, JobFinished, JobStarted, Observer, Observers
from penstock.telemetry.scope import Scope, current_scope

AT_ONCE = 32
"""Attempts in a batch: telling them is to take less than a millisecond."""

Bound = Mapping[str, object] | None


class Told(msgspec.Struct, gc=False):
    """What is to be told of an attempt: that it has started, that it has ended, mostly both at once."""

    attempt: Attempt
    scope: Scope
    """What surrounds it."""
    started: int
    """Nanoseconds since the epoch."""
    begins: bool = True
    """Whether its start is not told yet."""
    ended: int = 0
    """Nanoseconds since the epoch; 0 while it runs."""
    seconds: float = 0.0
    bound: Bound = None
    """What the job's author had bound to the lines of this context when it ended."""


class JobsToTell(msgspec.Struct, frozen=True, gc=False):
    """A batch, in the order in which the attempts started or, where that was told before, ended."""

    entries: Sequence[Told]


class Ledger:
    """An observer in front of others: `tellers` hear `JobsToTell` in the place of each `JobStarted` and
    `JobFinished`, and everything else at once. One thread's.
    """

    def __init__(self, *tellers: Callable[[Any], None], bound: Callable[[], Bound]) -> None:
        self._observers = Observers(*tellers)
        self._bound = bound
        # By the identity of their attempts, which they keep alive.
        self._batch: dict[int, Told] = {}
        self._running: dict[int, Told] = {}  # those that were told and have not ended

    def __call__(self, event: Event) -> None:
        if isinstance(event, JobStarted):
            attempt, scope = event.attempt, current_scope()
            scope.told_later = True
            self._batch[id(attempt)] = Told(attempt, scope, time.time_ns())
        elif isinstance(event, JobFinished):
            self._finish(event)
        else:
            if not isinstance(event, JobEnqueued):  # which a job may do a thousand times
                self.tell()
            self._observers.emit(event)

    def tell(self) -> None:
        """Tell what waits."""
        batch = self._batch
        if batch:
            self._batch = {}
            self._observers.emit(JobsToTell(list(batch.values())))  # type: ignore[arg-type]
            for key, told in batch.items():
                if not told.ended:
                    told.begins = False
                    self._running[key] = told

    def add(self, teller: Observer) -> None:
        """Tell `teller`, too."""
        self._observers.add(teller)

    def _finish(self, event: JobFinished) -> None:
        now, key = time.time_ns(), id(event.attempt)
        told = self._batch.get(key)
        if told is None:  # its start has been told
            told = self._running.pop(key, None)
            if told is None:  # it had started before anybody listened
                told = Told(event.attempt, current_scope(), now, begins=False)
            self._batch[key] = told
        told.ended, told.seconds, told.bound = now, event.seconds, self._bound()
        if len(self._batch) >= AT_ONCE:
            self.tell()
