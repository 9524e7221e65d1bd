"""Metrics that modules and parts of the engine declare. Who keeps the numbers is not known here.

A name, a help text, labels: `Module.counter`, `.gauge` and `.histogram` make them for modules, and a part
of the engine makes its own with `PART` in the place of a module. Telemetry binds a sink to each; without one
a call checks what it was given and does nothing more. **A sink hears the whole process**: a metric is a
global like the module it belongs to, so two telemetries that live at the same time both count every call.

What a call does wrong (an unknown label, a counter that shrinks) is a defect of the caller and raises
`ValueError`, with or without telemetry, so that the first test finds it. What a sink does wrong costs the
caller nothing: it is dropped, with a `RuntimeWarning`.
"""

import re
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import pairwise
from math import inf, isfinite
from threading import Lock
from typing import ClassVar, Literal

from penstock.engine.errors import ConfigurationError

LabelValue = str | int
"""What may be the value of a label; an int is written as a decimal."""
Change = Literal["add", "set", "observe"]
Sink = Callable[[Change, tuple[LabelValue, ...], float], None]
"""Takes a change, label values in declared order and a number, in whatever thread the change is made."""
Unbind = Callable[[], None]

DEFAULT_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1800, 3600)
"""For durations in seconds, from milliseconds to an hour."""

PART = ""
"""Whose metric it is where it is no module's: shown as `penstock_<name>`, with no other labels than those
that it declares, among which may be `module`."""

_NAME = re.compile(r"[a-z][a-z0-9_]{0,63}")
_LABEL = re.compile(r"[a-z][a-z0-9_]{0,63}")
_RESERVED_SUFFIXES = ("_total", "_count", "_sum", "_bucket", "_created", "_info")
"""Prometheus and OpenMetrics 1.0 give them a meaning; `_total` is put behind a counter's name for it."""
_RESERVED_LABELS = frozenset({"module", "le", "quantile"})


class Metric:
    """What counters, gauges and histograms share. Calls may come from any thread."""

    kind: ClassVar[Literal["counter", "gauge", "histogram"]]

    def __init__(self, module: str, name: str, help: str, labels: Sequence[str] = ()) -> None:  # noqa: A002 - Prometheus' own word
        """Check the declaration; raises `ConfigurationError`. `help` is what dashboards show."""
        self.module = module
        self.name = name
        self.help = help
        self.labels = tuple(labels)
        self._names = set(labels)
        self._sinks: tuple[Sink, ...] = ()
        self._binding = Lock()
        if isinstance(labels, str):
            raise ConfigurationError(f"{self!r}: its labels are one text; write labels=({labels!r},)")
        _check(self)

    def __repr__(self) -> str:
        return f"<{self.kind} {self.name} of {self.module or 'Penstock'}>"

    @property
    def shape(self) -> tuple[object, ...]:
        """What metrics of one name must have in common, whichever modules declare them."""
        return (self.kind, self.labels)

    def bind(self, sink: Sink) -> Unbind:
        """Tell `sink` every change from now on, until the function that is returned is called."""
        with self._binding:
            self._sinks = (*self._sinks, sink)
        return lambda: self._drop(sink)

    def _drop(self, sink: Sink) -> None:
        with self._binding:
            self._sinks = tuple(each for each in self._sinks if each is not sink)

    def _tell(self, change: Change, labels: Mapping[str, LabelValue], number: float) -> None:
        values = self._values(labels)
        for sink in self._sinks:
            try:
                sink(change, values, number)
            except Exception as error:  # whatever it raises: metrics may not stop a job
                self._drop(sink)
                warnings.warn(f"{self!r} lost a sink that raised {error!r}", RuntimeWarning, stacklevel=3)

    def _values(self, labels: Mapping[str, object]) -> tuple[LabelValue, ...]:
        if self._names != set(labels):
            raise ValueError(f"{self!r} takes the labels {self.labels}, not {tuple(labels)}")
        values: list[LabelValue] = []
        for name in self.labels:
            value = labels[name]
            if not isinstance(value, (str, int)):
                raise ValueError(f"{self!r}: {name} is {value!r}, expected a str or an int")
            values.append(value)
        return tuple(values)


class Counter(Metric):
    """Something that only grows. Shown as `penstock_module_<name>_total`."""

    kind = "counter"

    def inc(self, amount: float = 1, /, **labels: LabelValue) -> None:
        """Add `amount`; raises `ValueError` below zero, and for other labels than were declared."""
        number = float(amount)
        if not 0 <= number < inf:
            raise ValueError(f"{self!r} cannot grow by {amount}")
        self._tell("add", labels, number)


class Gauge(Metric):
    """Something that goes up and down. Shown as `penstock_module_<name>`.

    Of several worker processes the sum is shown, and the largest where the name ends in `_seconds` or
    `_ratio`.
    """

    kind = "gauge"

    def set(self, value: float, /, **labels: LabelValue) -> None:
        """Make it `value`; raises `ValueError` for other labels than were declared."""
        self._tell("set", labels, float(value))

    def inc(self, amount: float = 1, /, **labels: LabelValue) -> None:
        """Add `amount`, which may be negative; raises `ValueError` as `set` does."""
        self._tell("add", labels, float(amount))


class Histogram(Metric):
    """How often something was how large. Shown as `penstock_module_<name>`, where `<name>` says the unit."""

    kind = "histogram"

    def __init__(
        self,
        module: str,
        name: str,
        help: str,  # noqa: A002 - as in `Metric`
        labels: Sequence[str] = (),
        *,
        buckets: Sequence[float] = DEFAULT_BUCKETS,
    ) -> None:
        """Check the declaration; raises `ConfigurationError`. `buckets` are inclusive upper bounds."""
        super().__init__(module, name, help, labels)
        self.buckets = tuple(buckets)
        ascend = all(low < high for low, high in pairwise(self.buckets))
        if not (self.buckets and ascend and all(map(isfinite, self.buckets))):
            raise ConfigurationError(f"{self!r}: its buckets must be finite numbers in ascending order")

    @property
    def shape(self) -> tuple[object, ...]:
        """What metrics of one name must have in common, whichever modules declare them."""
        return (*super().shape, self.buckets)

    def observe(self, value: float, /, **labels: LabelValue) -> None:
        """Count `value`; raises `ValueError` unless it is finite, and for other labels than declared."""
        number = float(value)
        if not isfinite(number):
            raise ValueError(f"{self!r} cannot count {value}")
        self._tell("observe", labels, number)


def collect(metrics: Iterable[Metric]) -> list[Metric]:
    """Each of them once; raises `ConfigurationError` where two of one name differ in more than their help."""
    first: dict[str, Metric] = {}
    every = list(dict.fromkeys(metrics))
    for metric in every:
        other = first.setdefault(f"{metric.module == PART}{metric.name}", metric)
        if other.shape != metric.shape:
            raise ConfigurationError(
                f"{other!r} and {metric!r} are shown as one: their kinds, labels and buckets must be equal"
            )
    return every


def _check(metric: Metric) -> None:
    if _NAME.fullmatch(metric.name) is None or metric.name.endswith(_RESERVED_SUFFIXES):
        raise ConfigurationError(
            f"{metric.name!r} cannot name a {metric.kind} of {metric.module}: expected 1 to 64 of a-z, 0-9 "
            f"and _, starting with a letter and not ending in {', '.join(_RESERVED_SUFFIXES)}"
        )
    if not metric.help.strip():
        raise ConfigurationError(f"{metric!r} needs a help text")
    for label in metric.labels:
        part_of_module = metric.module == PART and label == "module"
        if _LABEL.fullmatch(label) is None or (label in _RESERVED_LABELS and not part_of_module):
            raise ConfigurationError(
                f"{metric!r}: {label!r} cannot name a label: expected 1 to 64 of a-z, 0-9 and _, starting "
                f"with a letter, and none of {', '.join(sorted(_RESERVED_LABELS))}"
            )
    if len(set(metric.labels)) != len(metric.labels):
        raise ConfigurationError(f"{metric!r} declares a label twice")
