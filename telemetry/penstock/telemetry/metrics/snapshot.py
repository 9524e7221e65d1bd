"""What one process has counted, in pieces that can be sent: for whoever adds several processes up."""

from collections.abc import Collection, Iterator, Sequence
from typing import Any, Literal, Protocol, cast

import msgspec

from penstock.telemetry.metrics.families import Metrics
from penstock.telemetry.metrics.series import Exemplar, HistogramChild, Series

Kind = Literal["counter", "gauge", "histogram"]

_SERIES = 50
"""Of one family in one piece: packing or adding it takes less than a millisecond."""


class ReadableFamily(Protocol):
    """A family as it is rendered, packed and added up: a `Family`, or the sum of several."""

    @property
    def name(self) -> str:
        """As its samples are named."""
        ...

    @property
    def doc(self) -> str:
        """Its help."""
        ...

    @property
    def kind(self) -> Any:
        """aioprometheus' `MetricsTypes`, which ships no types."""
        ...

    def children(self) -> Sequence[Series]:
        """All series as of now."""
        ...


class Families(Protocol):
    """A registry, or the sum of several."""

    def families(self) -> Sequence[ReadableFamily]:
        """Every family, in order of declaration."""
        ...


class Distribution(msgspec.Struct, frozen=True, array_like=True):
    """One series of a histogram; counts are those of each bucket alone, the last one's bound is infinite."""

    labels: str
    counts: list[int]
    sum: float
    exemplars: list[Exemplar | None]


class Piece(msgspec.Struct, frozen=True, array_like=True):
    """Some series of one family; labels are written and escaped as in an exposition."""

    name: str
    doc: str
    kind: Kind
    numbers: list[tuple[str, int | float]] = []
    """Of a counter or gauge: labels and value."""
    bounds: list[float] = []
    """Of a histogram, without +Inf."""
    distributions: list[Distribution] = []


def pieces(source: Families, *, without: Collection[str] = ()) -> Iterator[Piece]:
    """Everything in `source` but the families named in `without`; each piece is quickly made."""
    for family in source.families():
        if family.name in without:
            continue
        series = family.children()
        for start in range(0, max(len(series), 1), _SERIES):  # one without series is still declared
            yield _piece(family, series[start : start + _SERIES])


def process_pieces(metrics: Metrics) -> Iterator[Piece]:
    """What this process has counted itself; what the store says is left to the one who adds up."""
    for copy_in in metrics.before_scrape:
        copy_in()
    queues = metrics.queues
    families = (queues.jobs, queues.oldest, queues.workers, queues.slots, queues.memory, queues.store_up)
    stored = {family.name for family in families}
    return pieces(metrics.registry, without=stored)


def _piece(family: ReadableFamily, series: Sequence[Series]) -> Piece:
    kind = cast(Kind, family.kind.name)
    numbers: list[tuple[str, int | float]] = []
    distributions: list[Distribution] = []
    bounds: list[float] = []
    for child in series:
        if isinstance(child, HistogramChild):
            bounds = list(child.bounds)
            distributions.append(Distribution(child.labels, *child.read()))
        else:
            numbers.append((child.labels, child.value))
    return Piece(family.name, family.doc, kind, numbers, bounds, distributions)
