"""Queues that did not take what was sent: left alone for a while, each for itself, so that others go on."""

import random

import trio

from penstock.engine.retry import Backoff
from penstock.engine.sql_outbox.facts import Recovered, Tell, Troubled

BACKOFF = Backoff(base=0.25, cap=10.0)
"""Seconds; a queue that was full has room again as soon as workers have done something."""


class Rests:
    """Who rests, and until when; also for the database, which is told of in the same way."""

    def __init__(self, tell: Tell) -> None:
        self._tell = tell
        self._rng = random.Random()
        self._failures: dict[str, int] = {}
        self._until: dict[str, float] = {}

    @property
    def resting(self) -> set[str]:
        """Those whose time has not come."""
        now = trio.current_time()
        return {what for what, until in self._until.items() if until > now}

    def failed(self, what: str, error: Exception) -> float:
        """Let it rest; for how many seconds."""
        failures = self._failures[what] = self._failures.get(what, 0) + 1
        delay = BACKOFF.delay(failures, self._rng)
        self._until[what] = trio.current_time() + delay
        self._tell(Troubled(what, error, failures, delay))
        return delay

    def succeeded(self, what: str) -> None:
        """It works again, or still."""
        failures = self._failures.pop(what, 0)
        if failures:
            self._until.pop(what, None)
            self._tell(Recovered(what, failures))
