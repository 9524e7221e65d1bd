"""Endings for tests, and what is heard of operations and metrics."""

from collections.abc import Generator
from contextlib import contextmanager
from functools import partial
from typing import Any

from penstock.engine.job import JobError, JobState
from penstock.engine.job_ending import JobEnding
from penstock.engine.job_history import METRICS, Page
from penstock.engine.metric import Change, LabelValue
from penstock.engine.operation import Operation
from penstock.engine.seams import Seams

START = 1_700_000_000.0


def job_id(number: int, queue: str = "media") -> str:
    """The id of one job."""
    return f"{queue}.{number:028x}"


def ending(number: int = 1, **fields: Any) -> JobEnding:
    """How job `number` ended: well, at its first attempt, `number` seconds after the start of the story."""
    queue = fields.get("queue", "media")
    given: dict[str, Any] = {
        "id": job_id(number, queue),
        "queue": "media",
        "job": "images.thumbnail",
        "module": "images",
        "state": JobState.SUCCEEDED,
        "attempt": 1,
        "submitted_at": START - 2,
        "started_at": START - 1,
        "ended_at": START + number,
        "event_id": f"{number}-0",
        "priority": 5,
        "worker": "w1",
    }
    return JobEnding(**(given | fields))


def failure(message: str = "no route to host", **fields: Any) -> JobError:
    """Why an attempt failed."""
    given: dict[str, Any] = {"fingerprint": "f" * 16}
    return JobError("app.Unreachable", message, **(given | fields))


def dead(number: int = 1, **fields: Any) -> JobEnding:
    """How job `number` died."""
    return ending(number, **({"state": JobState.DEAD, "error": failure()} | fields))


def numbers(found: Page) -> list[int]:
    """Which jobs are on a page, in its order."""
    return [int(job.id.partition(".")[2], 16) for job in found.jobs]


class Operations:
    """Keeps what is reported of operations."""

    def __init__(self) -> None:
        self.begun: list[Operation] = []
        self.ended: list[Operation] = []
        self.seams = Seams(around_operation=self._around)

    @contextmanager
    def _around(self, operation: Operation) -> Generator[dict[str, str]]:
        self.begun.append(operation)
        yield {}
        self.ended.append(operation)

    def names(self) -> list[str]:
        """What was done, in order."""
        return [operation.name for operation in self.ended]


class Counts:
    """Sums up what is told to the history's metrics: changes of counters and gauges, calls of histograms."""

    def __init__(self) -> None:
        self.sums: dict[tuple[str, tuple[LabelValue, ...]], float] = {}

    def of(self, name: str, *labels: LabelValue) -> float:
        """What was told so far of one series."""
        return self.sums.get((name, labels), 0)

    def hear(self, name: str, change: Change, labels: tuple[LabelValue, ...], number: float) -> None:
        """Add one change."""
        amount = 1 if change == "observe" else number
        self.sums[name, labels] = self.sums.get((name, labels), 0) + amount


@contextmanager
def counting() -> Generator[Counts]:
    """What the metrics are told within the block."""
    counts = Counts()
    unbind = [metric.bind(partial(counts.hear, metric.name)) for metric in METRICS]
    try:
        yield counts
    finally:
        for each in unbind:
            each()
