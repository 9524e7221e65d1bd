"""What metrics are told during a block."""

from collections import Counter
from collections.abc import Generator, Iterable
from contextlib import contextmanager

from penstock.engine.metric import Change, LabelValue, Metric


class Heard:
    """Everything that was told, by the metric's name."""

    def __init__(self) -> None:
        self.changes: list[tuple[str, Change, tuple[LabelValue, ...], float]] = []

    def tally(self, name: str) -> dict[tuple[LabelValue, ...], float]:
        """A counter's growth by its labels."""
        grown: Counter[tuple[LabelValue, ...]] = Counter()
        for metric, change, labels, number in self.changes:
            if metric == name and change == "add":
                grown[labels] += number  # type: ignore[assignment]  # a Counter adds any numbers
        return dict(grown)

    def observed(self, name: str) -> list[tuple[tuple[LabelValue, ...], float]]:
        """What a histogram was told, in order."""
        return [
            (labels, number)
            for metric, change, labels, number in self.changes
            if metric == name and change == "observe"
        ]

    def last(self, name: str, *labels: LabelValue) -> float:
        """Where a gauge stands."""
        return [number for metric, _, values, number in self.changes if (metric, values) == (name, labels)][
            -1
        ]


@contextmanager
def hearing(metrics: Iterable[Metric]) -> Generator[Heard]:
    """Listen until the block ends."""
    heard = Heard()
    unbind = []
    for metric in metrics:

        def sink(
            change: Change, labels: tuple[LabelValue, ...], number: float, name: str = metric.name
        ) -> None:
            heard.changes.append((name, change, labels, number))

        unbind.append(metric.bind(sink))
    try:
        yield heard
    finally:
        for each in unbind:
            each()
