"""How long jobs are kept, and the loop that removes what is older."""

import time
from contextlib import suppress
from typing import Protocol

import msgspec
import trio

from penstock.engine.errors import ConfigurationError
from penstock.engine.job import JobState
from penstock.engine.job_history.errors import HistoryRefused, HistoryUnavailable

DAY = 24 * 3600.0
EVERY = 3600.0
"""Seconds between two clearings: at 30 days of retention, an hour more or less is nothing."""
SLICE = 500
"""Jobs removed in one transaction: 50 ms or so in SQLite, during which nobody else writes."""


class Retention(msgspec.Struct, frozen=True, kw_only=True):
    """How long jobs are kept after they ended, by the state they ended in; seconds, 0 for ever."""

    succeeded: float = 30 * DAY
    dead: float = 90 * DAY
    cancelled: float = 30 * DAY
    expired: float = 30 * DAY

    def __post_init__(self) -> None:
        for state, span in self.spans().items():
            if not 0 <= span < float("inf"):
                raise ConfigurationError(f"retention of {state.value} jobs is {span}: expected seconds, or 0")

    def spans(self) -> dict[JobState, float]:
        """Seconds by state."""
        return {
            JobState.SUCCEEDED: self.succeeded,
            JobState.DEAD: self.dead,
            JobState.CANCELLED: self.cancelled,
            JobState.EXPIRED: self.expired,
        }


class Purges(Protocol):
    """What removes old jobs: `History`."""

    async def purge(self, older_than: float, at_most: int = ..., *, state: JobState | None = ...) -> int:
        """Remove jobs that ended before `older_than`, at most so many; how many it removed."""
        ...


async def clear(history: Purges, retention: Retention, now: float | None = None) -> int:
    """Remove everything past its retention, a slice at a time; how much that was, as `purge` counts it.

    Each slice is a transaction of its own, and writers come in between. Raises as `History.purge` does.
    """
    now = time.time() if now is None else now
    removed = 0
    for state, span in retention.spans().items():
        while span:
            count = await history.purge(now - span, SLICE, state=state)
            removed += count
            if count < SLICE:
                break
    return removed


async def keep_within(history: Purges, retention: Retention, *, every: float = EVERY) -> None:
    """Clear now and every `every` seconds, until cancelled. Several processes may do so at once.

    What a database that is away, or refuses, does not remove stays until the next time: it is counted in
    `history_errors` under `purge`, and endings go on being written.
    """
    while True:
        with suppress(HistoryUnavailable, HistoryRefused):
            await clear(history, retention)
        await trio.sleep(every)
