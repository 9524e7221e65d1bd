"""Counting what Python functions are called: a figure that no machine's speed changes."""

import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from types import CodeType, FrameType

from trio.testing import MockClock

import benchmarks
import penstock.engine.memory_store
import penstock.http
import penstock.telemetry

HEAVIER = 1.1
"""A figure that has grown by more than this factor fails its gate."""

COMPREHENSIONS = {"<listcomp>", "<dictcomp>", "<setcomp>"}
OURS = tuple(
    str(Path(str(module.__file__)).parent) for module in (penstock.engine, penstock.telemetry, penstock.http)
)
NOT_COUNTED = (
    str(Path(__file__).parents[1]),
    str(Path(benchmarks.__file__).parent),
    str(Path(penstock.engine.memory_store.__file__).parent),
    MockClock.current_time.__code__.co_filename,
)


class Calls:
    """Calls of Python functions by whose they are; generators count each time they go on."""

    def __init__(self) -> None:
        self.own = self.all = 0

    def __call__(self, frame: FrameType, event: str, arg: object) -> None:
        if event == "call":
            self._count(frame.f_code)

    def _count(self, code: CodeType) -> None:
        file = code.co_filename
        if code.co_name not in COMPREHENSIONS and not file.startswith(NOT_COUNTED):
            self.all += 1
            self.own += file.startswith(OURS)

    def check(self, what: str, jobs: int, figures: tuple[float, float]) -> None:
        """At most a tenth more than the figures in the table: own calls a job, and all."""
        own, in_all = self.own / jobs, self.all / jobs
        print(f"{what}: {own:.2f} calls a job in penstock, {in_all:.1f} in all code")  # noqa: T201 - shown with -s
        most_own, most = figures
        assert own <= most_own * HEAVIER
        assert in_all <= most * HEAVIER


@contextmanager
def counted() -> Generator[Calls]:
    """Count the calls of this thread during the block."""
    calls, before = Calls(), sys.getprofile()
    sys.setprofile(calls)
    try:
        yield calls
    finally:
        sys.setprofile(before)
