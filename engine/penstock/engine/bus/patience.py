"""Waiting for a bus or a store that is away, and telling about it once."""

import random
import time
from collections.abc import Awaitable, Callable

import trio

from penstock.engine.bus.errors import BusRefused, BusUnavailable
from penstock.engine.errors import StoreRefused, StoreUnavailable
from penstock.engine.events import LoopCrashed, Observers, StoreDown, StoreUp
from penstock.engine.retry import Backoff
from penstock.engine.supervision import CRASH_BACKOFF, MAX_CRASHES

TROUBLES = (BusUnavailable, BusRefused, StoreUnavailable, StoreRefused)
"""What goes by, or what an operator mends: nothing is lost meanwhile. Full queues are among them."""
_BACKOFF = Backoff(base=0.1, cap=5.0)


class Patience:
    """One loop's: how long it has been in trouble, and the pauses between its tries."""

    def __init__(self, loop: str, observers: Observers) -> None:
        """`loop` is its name in `StoreDown`, `StoreUp` and `LoopCrashed`."""
        self._loop = loop
        self._observers = observers
        self._rng = random.Random()
        self._failures = 0
        self._since = 0.0

    async def failed(self, error: Exception) -> None:
        """Wait before the next try; the first failure in a row is told."""
        if not self._failures:
            self._since = time.monotonic()
            self._observers.emit(StoreDown(self._loop, str(error)))
        self._failures += 1
        await trio.sleep(_BACKOFF.delay(self._failures, self._rng))

    def succeeded(self) -> None:
        """It works again, or still."""
        if self._failures:
            self._observers.emit(StoreUp(self._loop, time.monotonic() - self._since))
        self._failures = 0

    async def keep(self, loop: Callable[[], Awaitable[None]]) -> None:
        """Run `loop` until it returns; again after trouble, and after a defect.

        Raises what it raised when it crashed `MAX_CRASHES` times, each within a minute of the last.
        """
        crashes, crashed_at = 0, 0.0
        while True:
            try:
                return await loop()
            except TROUBLES as error:
                await self.failed(error)
            except Exception as error:  # a defect of ours: tell it, try again, give up in the open
                crashes = crashes + 1 if time.monotonic() - crashed_at < 60 else 1
                crashed_at = time.monotonic()
                if crashes >= MAX_CRASHES:
                    raise
                delay = CRASH_BACKOFF.delay(crashes, self._rng)
                self._observers.emit(LoopCrashed(self._loop, error, delay))
                await trio.sleep(delay)
