"""When handlers ended: what a drain rate is made of. Standard library only."""

import threading
import time
from collections.abc import Callable


class Tally:
    """Counts handlers that have ended; `finished` is called by the one that is the last."""

    def __init__(self, jobs: int, finished: Callable[[], object]) -> None:
        self._jobs = jobs
        self._finished = finished
        self._count = 0
        self._first = self._last = 0.0
        self._lock = threading.Lock()  # handlers may run in threads

    def note(self) -> None:
        """One has ended."""
        with self._lock:
            self._last = time.perf_counter()
            self._first = self._first or self._last
            self._count += 1
            last = self._count == self._jobs
        if last:
            self._finished()

    def rate(self) -> float:
        """Jobs a second between the first that ended and the last: start-up and the first poll are not held
        against anybody, nor is what is written once the last handler has ended."""
        return (self._count - 1) / max(self._last - self._first, 1e-6)
