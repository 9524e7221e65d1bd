"""Hearing of endings: one tail of a queue's endings for all who wait in this process."""

import random

import anyio

from penstock.engine.errors import StoreRefused, StoreUnavailable
from penstock.engine.retry import Backoff
from penstock.engine.store import Store

BACKOFF = Backoff(base=0.1, cap=2.0)


class Endings:
    """One queue's waiters. `run` belongs to the client's task group."""

    def __init__(self, store: Store, queue: str) -> None:
        self._store = store
        self._queue = queue
        self._waiters: dict[str, set[anyio.Event]] = {}
        self._rng = random.Random()
        self.refused: StoreRefused | None = None
        """Why nothing will ever be heard: every waiter raises it."""

    async def run(self) -> None:
        """Wake those whose job has ended, and everybody each time the tail stands anew: look again then."""
        failures = 0
        while True:
            try:
                async with self._store.endings(self._queue) as endings:
                    failures = 0
                    self._wake_all()
                    async for ended in endings:
                        self._wake(ended.suffix)
            except StoreUnavailable:
                failures += 1
                await anyio.sleep(BACKOFF.delay(failures, self._rng))
            except StoreRefused as error:
                self.refused = error
                self._wake_all()
                return

    def watch(self, suffix: str) -> anyio.Event:
        """An event that is set when it is time to look at the job; `unwatch` it."""
        event = anyio.Event()
        self._waiters.setdefault(suffix, set()).add(event)
        return event

    def unwatch(self, suffix: str, event: anyio.Event) -> None:
        """Stop watching; an event that was set needs it too."""
        waiters = self._waiters.get(suffix)
        if waiters is not None:
            waiters.discard(event)
            if not waiters:
                del self._waiters[suffix]

    def _wake_all(self) -> None:
        for suffix in tuple(self._waiters):
            self._wake(suffix)

    def _wake(self, suffix: str) -> None:
        for event in self._waiters.pop(suffix, ()):
            event.set()
