"""Keeping a loop alive: what the store's absence or a defect does to one of the worker's loops."""

import random
import time
from collections.abc import Awaitable, Callable

import trio

from penstock.engine.errors import StoreForbidden, StoreUnavailable
from penstock.engine.events import LoopCrashed, Observers, StoreDown, StoreUp
from penstock.engine.retry import Backoff
from penstock.engine.store import Store

LONGEST_PAUSE = 2.0
"""Seconds between probes while the store is away; the transport has tried for seconds before it says so."""
CRASH_BACKOFF = Backoff(base=0.5, cap=10.0, jitter=False)
FORBIDDEN_BACKOFF = Backoff(base=0.5, cap=5.0)
"""Between tries of what the server's ACL keeps from us; it may be given back."""
MAX_CRASHES = 5
"""Defects within a minute of each other after which the worker ends instead of living on half-dead."""


class Supervisor:
    """Runs a worker's loops so that each of them works, waits for the store, or ends the worker."""

    def __init__(
        self, store: Store, observers: Observers, rng: random.Random, longest: float = LONGEST_PAUSE
    ) -> None:
        """`longest` pause in seconds: whoever holds a lease has to find the store again well within it."""
        self._store = store
        self._observers = observers
        self._rng = rng
        self._backoff = Backoff(base=0.1, cap=min(longest, LONGEST_PAUSE))

    async def keep(self, name: str, loop: Callable[[], Awaitable[None]]) -> None:
        """Run `loop` until it returns; run it again when the store was away or after a defect.

        Raises what the loop raised when it crashed `MAX_CRASHES` times, each within a minute of the last.
        """
        crashes, crashed_at, refusals, refused_at = 0, 0.0, 0, 0.0
        while True:
            try:
                return await loop()
            except StoreUnavailable as error:
                await self._until_back(name, error)
            except StoreForbidden as error:  # an operator's to mend: not ready, but not gone either
                refusals = refusals + 1 if time.monotonic() - refused_at < 60 else 1
                refused_at = time.monotonic()
                if refusals == 1:
                    self._observers.emit(StoreDown(name, str(error)))
                await trio.sleep(FORBIDDEN_BACKOFF.delay(refusals, self._rng))
            except Exception as error:  # a defect of ours: tell it, try again, give up in the open
                crashes = crashes + 1 if time.monotonic() - crashed_at < 60 else 1
                crashed_at = time.monotonic()
                if crashes >= MAX_CRASHES:
                    raise
                delay = CRASH_BACKOFF.delay(crashes, self._rng)
                self._observers.emit(LoopCrashed(name, error, delay))
                await trio.sleep(delay)

    async def _until_back(self, name: str, error: StoreUnavailable) -> None:
        """Probe with growing pauses until the store answers."""
        began, probes = time.monotonic(), 0
        self._observers.emit(StoreDown(name, str(error)))
        while True:
            probes += 1
            await trio.sleep(self._backoff.delay(probes, self._rng))
            try:
                await self._store.ping()
            except (StoreUnavailable, StoreForbidden):
                continue
            self._observers.emit(StoreUp(name, time.monotonic() - began))
            return
