"""One series each: a number that grows, a number that moves, a distribution; and the same for threads.

The plain ones belong to the thread that runs the Trio loop and take no lock: `+=` reads, adds and writes,
and another thread between those steps would lose a count. The `Locked` ones are for samples that handlers
in threads make too. Their locks are held for one addition, and can be taken again by the thread that has
them: the garbage collector may run a finalizer in between that counts something itself.
"""

import time
from bisect import bisect_left
from collections.abc import Sequence
from itertools import accumulate
from math import inf
from threading import RLock

Exemplar = tuple[str, float, float]
"""Trace id, the observed value, when (seconds since the epoch)."""


class CounterChild:
    """One series that only grows."""

    __slots__ = ("labels", "value")

    def __init__(self, labels: str) -> None:
        self.labels = labels
        self.value: float = 0

    def inc(self, amount: float = 1) -> None:
        """Add `amount`; raises `ValueError` below zero."""
        if amount < 0:
            raise ValueError(f"a counter cannot grow by {amount}")
        self.value += amount


class GaugeChild:
    """One series that goes up and down."""

    __slots__ = ("labels", "value")

    def __init__(self, labels: str) -> None:
        self.labels = labels
        self.value: float = 0

    def set(self, value: float) -> None:
        """Make it `value`."""
        self.value = value

    def inc(self, amount: float = 1) -> None:
        """Add `amount`, which may be negative."""
        self.value += amount


class HistogramChild:
    """One distribution: counts per bucket, the sum, and in each bucket the last exemplar."""

    __slots__ = ("bounds", "counts", "exemplars", "labels", "sum")

    def __init__(self, labels: str, bounds: Sequence[float]) -> None:
        self.labels = labels
        self.bounds = bounds  # without +Inf
        self.counts = [0] * (len(bounds) + 1)
        self.sum: float = 0
        self.exemplars: list[Exemplar | None] = [None] * (len(bounds) + 1)

    def observe(self, value: float, trace_id: str | None = None, when: float | None = None) -> None:
        """Count `value`; `trace_id` (32 hex digits) names an example of it, of now unless `when` is given."""
        bucket = bisect_left(self.bounds, value)  # upper bounds are inclusive
        self.counts[bucket] += 1
        self.sum += value
        if trace_id is not None:
            self.exemplars[bucket] = (trace_id, value, time.time() if when is None else when)

    def read(self) -> tuple[list[int], float, list[Exemplar | None]]:
        """Counts of each bucket alone, the sum and the exemplars, all of one moment."""
        return list(self.counts), self.sum, list(self.exemplars)

    @property
    def observations(self) -> int:
        """How many values were counted."""
        return sum(self.counts)

    @property
    def buckets(self) -> dict[float, int]:
        """Cumulative counts by upper bound, as aioprometheus reads them."""
        return dict(zip((*self.bounds, inf), accumulate(self.counts), strict=True))


Series = CounterChild | GaugeChild | HistogramChild


class LockedCounterChild(CounterChild):
    """A counter that any thread may add to."""

    __slots__ = ("_lock",)

    def __init__(self, labels: str) -> None:
        super().__init__(labels)
        self._lock = RLock()

    def inc(self, amount: float = 1) -> None:
        """Add `amount`; raises `ValueError` below zero."""
        with self._lock:
            super().inc(amount)


class LockedGaugeChild(GaugeChild):
    """A gauge that any thread may change."""

    __slots__ = ("_lock",)

    def __init__(self, labels: str) -> None:
        super().__init__(labels)
        self._lock = RLock()

    def set(self, value: float) -> None:
        """Make it `value`; one step, but not between the steps of an `inc`."""
        with self._lock:
            super().set(value)

    def inc(self, amount: float = 1) -> None:
        """Add `amount`, which may be negative."""
        with self._lock:
            super().inc(amount)


class LockedHistogramChild(HistogramChild):
    """A distribution that any thread may add to."""

    __slots__ = ("_lock",)

    def __init__(self, labels: str, bounds: Sequence[float]) -> None:
        super().__init__(labels, bounds)
        self._lock = RLock()

    def observe(self, value: float, trace_id: str | None = None, when: float | None = None) -> None:
        """Count `value`; `trace_id` (32 hex digits) names an example of it, of now unless `when` is given."""
        with self._lock:
            super().observe(value, trace_id, when)

    def read(self) -> tuple[list[int], float, list[Exemplar | None]]:
        """Counts of each bucket alone, the sum and the exemplars, all of one moment."""
        with self._lock:
            return super().read()
