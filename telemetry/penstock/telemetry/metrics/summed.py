"""Several processes' metrics added up, to be rendered as if one process had counted them."""

from collections.abc import Sequence

from aioprometheus.collectors import MetricsTypes

from penstock.telemetry.metrics.series import CounterChild, Exemplar, GaugeChild, HistogramChild, Series
from penstock.telemetry.metrics.snapshot import Distribution, Piece

_NOT_ADDED = ("_info", "_seconds", "_ratio")
"""An `_info` gauge says 1 about something, however many say it. Ages, lags, times of day and shares of
several processes are no sum either: the largest stands for them."""


class SummedFamily:
    """One family of the sum."""

    def __init__(self, piece: Piece) -> None:
        self.name = piece.name
        self.doc = piece.doc
        self.kind = MetricsTypes[piece.kind]
        self.bounds = piece.bounds
        self._largest = piece.kind == "gauge" and piece.name.endswith(_NOT_ADDED)
        self._children: dict[str, Series] = {}

    def children(self) -> Sequence[Series]:
        """All series that any process has."""
        return list(self._children.values())

    def agrees_on_bounds(self, piece: Piece) -> bool:
        """Whether its buckets are ours, which are those of the first piece that has any series."""
        if not self._children:
            self.bounds = piece.bounds
        return not piece.distributions or self.bounds == piece.bounds

    def add(self, piece: Piece) -> None:
        """Add each series to the one with the same labels."""
        for labels, value in piece.numbers:
            self._add_number(labels, value)
        for distribution in piece.distributions:
            child = self._children.get(distribution.labels)
            if child is None:
                child = self._children[distribution.labels] = HistogramChild(distribution.labels, self.bounds)
            if isinstance(child, HistogramChild):
                _add_distribution(child, distribution)

    def _add_number(self, labels: str, value: float) -> None:
        child = self._children.get(labels)
        if child is None:
            counts = self.kind is MetricsTypes.counter
            child = self._children[labels] = CounterChild(labels) if counts else GaugeChild(labels)
            child.value = value
        elif not isinstance(child, HistogramChild):
            child.value = max(child.value, value) if self._largest else child.value + value


class Sum:
    """Counters, gauges and histograms of several processes, series by series.

    Gauges are added like counters: slots of several workers are so many slots. Of those whose names end in
    `_info`, `_seconds` or `_ratio` the largest value is shown. A piece whose kind or buckets differ from
    what is there already, as between two versions of an application, is left out.
    """

    def __init__(self) -> None:
        self._families: dict[str, SummedFamily] = {}

    def families(self) -> Sequence[SummedFamily]:
        """Every family that any process has, in the order they came."""
        return list(self._families.values())

    def add(self, piece: Piece) -> None:
        """Add one piece; takes less than a millisecond."""
        family = self._families.get(piece.name)
        if family is None:
            family = self._families[piece.name] = SummedFamily(piece)
        if family.kind.name == piece.kind and family.agrees_on_bounds(piece):
            family.add(piece)


def _add_distribution(child: HistogramChild, more: Distribution) -> None:
    for bucket, count in enumerate(more.counts):
        child.counts[bucket] += count
        child.exemplars[bucket] = _newer(child.exemplars[bucket], more.exemplars[bucket])
    child.sum += more.sum


def _newer(one: Exemplar | None, other: Exemplar | None) -> Exemplar | None:
    if one is None or other is None:
        return other if one is None else one
    return max(one, other, key=lambda exemplar: exemplar[2])
