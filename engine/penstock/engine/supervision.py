"""Keeping a loop alive: what the store's absence or a defect does to one of the worker's loops."""

import random
import time
from collections.abc import Awaitable, Callable

import trio

from penstock.engine.errors import StoreUnavailable
from penstock.engine.events import LoopCrashed, Observers, StoreDown, StoreUp
from penstock.engine.retry import Backoff
from penstock.engine.store import Store

STORE_BACKOFF = Backoff(base=0.1, cap=2.0)
"""Between probes while the store is away; the transport has tried for seconds before it says so."""
CRASH_BACKOFF = Backoff(base=0.5, cap=10.0, jitter=False)
MAX_CRASHES = 5
"""Defects within a minute of each other after which the worker ends instead of living on half-dead."""


class Supervisor:
    """Runs a worker's loops so that each of them works, waits for the store, or ends the worker."""

    def __init__(self, store: Store, observers: Observers, rng: random.Random) -> None:
        self._store = store
        self._observers = observers
        self._rng = rng

    async def keep(self, name: str, loop: Callable[[], Awaitable[None]]) -> None:
        """Run `loop` until it returns; run it again when the store was away or after a defect.

        Raises what the loop raised when it crashed `MAX_CRASHES` times, each within a minute of the last.
        """
        crashes, crashed_at = 0, 0.0
        while True:
            try:
                return await loop()
            except StoreUnavailable as error:
                await self._until_back(name, error)
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
            await trio.sleep(STORE_BACKOFF.delay(probes, self._rng))
            try:
                await self._store.ping()
            except StoreUnavailable:
                continue
            self._observers.emit(StoreUp(name, time.monotonic() - began))
            return
