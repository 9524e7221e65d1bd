"""Samples of what the main thread does, a few hundred for each second of CPU that the process uses.

A timer that counts CPU (setitimer(2), `ITIMER_PROF`) sends a signal, and Python calls the handler between two
of its instructions. So functions cost what they cost, short or long, unlike under a profiler that is called
at each call; what happens in C is counted for the Python function that called it.
"""

import signal
import time
from collections import Counter
from collections.abc import Generator
from contextlib import contextmanager
from functools import cache
from types import CodeType, FrameType

from benchmarks.costs.purposes import purpose_of

EVERY = 0.002
"""Seconds of CPU between samples: 1 % of the time goes into taking them."""


class Sampler:
    """What was seen: by purpose, and by the function that was running."""

    def __init__(self) -> None:
        self.purposes: Counter[str] = Counter()
        self.functions: Counter[str] = Counter()
        self.main_thread = self.process = 0.0
        """Seconds of CPU, of the sampled thread and of all."""
        self._known: dict[CodeType, str | None] = {}

    @contextmanager
    def sampling(self) -> Generator[None]:
        """Sample during the block, which the main thread has to run."""
        main_thread, process = time.thread_time(), time.process_time()
        before = signal.signal(signal.SIGPROF, self._take)
        signal.setitimer(signal.ITIMER_PROF, EVERY, EVERY)
        try:
            yield
        finally:
            signal.setitimer(signal.ITIMER_PROF, 0)
            signal.signal(signal.SIGPROF, before)
            self.main_thread += time.thread_time() - main_thread
            self.process += time.process_time() - process

    def _take(self, _signal: int, frame: FrameType | None) -> None:
        """The innermost function with a purpose of its own; what it borrows elsewhere is its own too."""
        while frame is not None:
            code = frame.f_code
            if code not in self._known:
                self._known[code] = purpose_of(code.co_filename)
            purpose = self._known[code]
            if purpose is not None:
                self.purposes[purpose] += 1
                self.functions[f"{_short(code.co_filename)} {code.co_qualname}"] += 1
                return
            frame = frame.f_back


@cache
def _short(file: str) -> str:
    """From the package on."""
    _, ours, rest = file.rpartition("/penstock/")
    return rest if ours else "/".join(file.rsplit("/", 2)[-2:])
