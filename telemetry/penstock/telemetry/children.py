"""Metric families over aioprometheus' collectors: declared labels, bound children, capped cardinality.

A family resolves label values to a *child* once; after that an increment is one addition (0.1 µs
against 5 for aioprometheus' own, reference/observability.md §3). Through the library's own interface
(`inc({"queue": "media"})`) the same children are reached.

**Not thread-safe**: only the thread that runs the Trio loop may touch a metric. Handlers in threads go
through `trio.from_thread.run_sync`. Nothing here takes a lock, so that the loop never waits for one.
"""

import re
import time
from bisect import bisect_left
from collections.abc import Callable, Sequence
from itertools import accumulate
from math import inf
from typing import Any, Generic, TypeVar

from aioprometheus import collectors

MAX_SERIES = 1_000
"""Children of one family; label sets beyond them share one child."""
OVERFLOW = "__other__"
"""The value of every label of that shared child."""

_LABEL_NAME = re.compile(r"(?!__)[a-zA-Z_][a-zA-Z0-9_]*")


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

    __slots__ = ("bounds", "counts", "exemplars", "labels", "observations", "sum")

    def __init__(self, labels: str, bounds: Sequence[float]) -> None:
        self.labels = labels
        self.bounds = bounds  # without +Inf
        self.counts = [0] * (len(bounds) + 1)
        self.sum: float = 0
        self.observations = 0
        self.exemplars: list[Exemplar | None] = [None] * (len(bounds) + 1)

    def observe(self, value: float, trace_id: str | None = None) -> None:
        """Count `value`; `trace_id` (32 hex digits) names an example of it."""
        bucket = bisect_left(self.bounds, value)  # upper bounds are inclusive
        self.counts[bucket] += 1
        self.sum += value
        self.observations += 1
        if trace_id is not None:
            self.exemplars[bucket] = (trace_id, value, time.time())

    @property
    def buckets(self) -> dict[float, int]:
        """Cumulative counts by upper bound, as aioprometheus reads them."""
        return dict(zip((*self.bounds, inf), accumulate(self.counts), strict=True))


Exemplar = tuple[str, float, float]
"""Trace id, the observed value, when (seconds since the epoch)."""
Child = TypeVar("Child", CounterChild, GaugeChild, HistogramChild)
Overflowed = Callable[[str], None]
"""Told the family's name each time a label set found no room."""


def ignore(_name: str) -> None:
    """Do nothing about an overflow."""


class Family(collectors.Collector, Generic[Child]):
    """What counters, gauges and histograms share: from label values to children."""

    def __init__(
        self,
        registry: collectors.Registry,
        name: str,
        doc: str,
        label_names: Sequence[str],
        new_child: Callable[[str], Child],
        overflowed: Overflowed = ignore,
        **more: Any,
    ) -> None:
        for label in label_names:
            if _LABEL_NAME.fullmatch(label) is None or label == "le":
                raise ValueError(f"{name}: {label!r} cannot name a label")
        super().__init__(name, doc, registry=registry, **more)
        self.label_names = tuple(label_names)
        self._new_child: Callable[[str], Child] = new_child
        self._overflowed = overflowed
        self._children: dict[tuple[object, ...], Child] = {}
        if not label_names:
            self.labels()  # a series without labels is there from the start, at 0

    def labels(self, *values: object) -> Child:
        """The child for label values in declared order; found fastest when they are strings.

        Past `MAX_SERIES` new label sets share one child whose every label is `__other__`.
        """
        try:
            return self._children[values]
        except KeyError:
            return self._resolve(values)

    def children(self) -> list[Child]:
        """All series as of now."""
        return list(self._children.values())

    def clear(self) -> None:
        """Forget every series; for gauges that are refreshed as a whole."""
        self._children.clear()

    def _resolve(self, values: tuple[object, ...]) -> Child:
        if len(values) != len(self.label_names):
            raise ValueError(f"{self.name}: expected values for {self.label_names}, got {values}")
        texts = tuple(_text(value) for value in values)
        if texts not in self._children and texts and len(self._children) >= MAX_SERIES:
            self._overflowed(self.name)
            texts = (OVERFLOW,) * len(texts)
        if texts not in self._children:
            self._children[texts] = self._new_child(format_labels(self.label_names, texts))
        return self._children[texts]

    # aioprometheus' own interface, on the same children. Its histogram reads `buckets`, `sum` and
    # `observations` of what `get_value` returns, and `HistogramChild` has them.

    def get_value(self, labels: dict[str, str]) -> Any:
        """Read one series by a dictionary of labels."""
        child = self._child_of(labels)
        return child if isinstance(child, HistogramChild) else child.value

    def set_value(self, labels: dict[str, str], value: Any) -> None:
        """Write one series by a dictionary of labels."""
        child = self._child_of(labels)
        if not isinstance(child, HistogramChild):
            child.value = value

    def get_all(self) -> list[Any]:
        """Pairs of labels and value, a distribution as a dictionary."""
        every = [dict(zip(self.label_names, map(str, key), strict=True)) for key in self._children]
        return [(labels, self.get(labels)) for labels in every]

    def _child_of(self, labels: dict[str, str]) -> Child:
        return self.labels(*(labels[name] for name in self.label_names))


class Counter(Family[CounterChild], collectors.Counter):
    """A family of counters; its name ends in `_total`, as OpenMetrics 1.0 requires of the samples."""

    def __init__(
        self,
        registry: collectors.Registry,
        name: str,
        doc: str,
        labels: Sequence[str] = (),
        overflowed: Overflowed = ignore,
    ) -> None:
        if not name.endswith("_total"):
            raise ValueError(f"counter {name} must end in _total")
        super().__init__(registry, name, doc, labels, CounterChild, overflowed)


class Gauge(Family[GaugeChild], collectors.Gauge):
    """A family of gauges."""

    def __init__(
        self,
        registry: collectors.Registry,
        name: str,
        doc: str,
        labels: Sequence[str] = (),
        overflowed: Overflowed = ignore,
    ) -> None:
        super().__init__(registry, name, doc, labels, GaugeChild, overflowed)


class Histogram(Family[HistogramChild], collectors.Histogram):
    """A family of histograms over the same buckets: upper bounds in ascending order, without +Inf."""

    def __init__(
        self,
        registry: collectors.Registry,
        name: str,
        doc: str,
        labels: Sequence[str] = (),
        overflowed: Overflowed = ignore,
        *,
        buckets: Sequence[float],
    ) -> None:
        def new_child(text: str) -> HistogramChild:
            return HistogramChild(text, buckets)

        super().__init__(registry, name, doc, labels, new_child, overflowed, buckets=(*buckets, inf))


def format_labels(names: Sequence[str], values: Sequence[str]) -> str:
    """Write `name="value"` pairs as both exposition formats want them, escaped."""
    return ",".join(f'{name}="{escape(value)}"' for name, value in zip(names, values, strict=True))


def escape(value: str) -> str:
    """Escape a label value: backslash, line feed and double quote (text format 0.0.4, OpenMetrics 1.0)."""
    return value.replace("\\", r"\\").replace("\n", r"\n").replace('"', r"\"")


def _text(value: object) -> str:
    """The label value as text that UTF-8 can carry; normalised before it becomes a key, so that no two
    series are written alike."""
    return str(value).encode("utf-8", "replace").decode()
