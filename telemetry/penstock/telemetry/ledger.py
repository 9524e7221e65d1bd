"""What happens with every job waits here for a moment, to be told a batch at a time.

Code that runs in between other code is slow: told one by one, the same facts cost twice as much. A batch is
told when it is full, when its jobs are settled, when anything else happens, before each scrape, and twice a
second where `Telemetry.watch` runs. So a line comes a few milliseconds late, with the time at which it
happened; and what a killed process has not told are attempts that it has not settled either: they will be
made again.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import msgspec

from penstock.engine.events import Event, JobEnqueued, JobFinished, JobStarted, Observer, Observers
from penstock.telemetry.scope import Scope, current_scope

AT_ONCE = 64
"""Facts in a batch: about 0.3 ms of lines."""

Bound = Mapping[str, object] | None


class Entry(NamedTuple):
    """A fact, and what surrounded it."""

    event: JobStarted | JobFinished
    scope: Scope
    bound: Bound
    """What the job's author has bound to the lines of this context."""
    when: int
    """Nanoseconds since the epoch."""


class JobsToTell(msgspec.Struct, frozen=True, gc=False):
    """A batch of facts about jobs, in the order in which they happened."""

    entries: Sequence[Entry]


class Ledger:
    """An observer in front of others: `tellers` hear `JobsToTell` in the place of each `JobStarted` and
    `JobFinished`, and everything else at once. One thread's.
    """

    def __init__(self, *tellers: Callable[[Any], None], bound: Callable[[], Bound]) -> None:
        self._observers = Observers(*tellers)
        self._bound = bound
        self._entries: list[Entry] = []

    def __call__(self, event: Event) -> None:
        if isinstance(event, JobStarted | JobFinished):
            scope = current_scope()
            scope.told_later = True
            self._entries.append(Entry(event, scope, self._bound(), time.time_ns()))
            if len(self._entries) >= AT_ONCE:
                self.tell()
            return
        if not isinstance(event, JobEnqueued):  # which a job may do a thousand times
            self.tell()
        self._observers.emit(event)

    def tell(self) -> None:
        """Tell what waits."""
        if self._entries:
            entries, self._entries = self._entries, []
            self._observers.emit(JobsToTell(entries))  # type: ignore[arg-type]

    def add(self, teller: Observer) -> None:
        """Tell `teller`, too."""
        self._observers.add(teller)
