"""One run of a benchmark: how much is asked of it, what it has found, where it shows its progress."""

import time
from collections.abc import Generator, Iterable, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console
from rich.progress import Progress

from benchmarks.frame.machine import Machine, describe_machine, source, versions
from benchmarks.frame.result import FOLDER, Figure, Place, Result, save


class Bench:
    """Collects figures; `result` is what they come to."""

    def __init__(
        self, name: str, *, rounds: int, quick: bool = False, seed: int = 1, folder: Path = FOLDER
    ) -> None:
        self.name = name
        self.rounds = rounds
        self.quick = quick
        self.seed = seed
        self.notes: list[str] = []
        self.versions: dict[str, str] = {}
        self.terminal = Console(stderr=True)
        self._folder = folder
        self._figures: list[Figure] = []
        self._began = datetime.now(UTC)
        self._clock = time.monotonic()
        self._machine: Machine = describe_machine()

    def add(self, what: str, unit: str, values: Iterable[float], who: str = "", **at: Place) -> None:
        """Keep a figure, rounded to what may mean something: six digits."""
        rounded = [float(f"{value:.6g}") for value in values]
        self._figures.append(Figure(what=what, unit=unit, values=rounded, who=who, at=at))

    def result(self) -> Result:
        """All that was found so far."""
        return Result(
            benchmark=self.name,
            began=self._began.isoformat(timespec="seconds"),
            seconds=round(time.monotonic() - self._clock, 1),
            seed=self.seed,
            quick=self.quick,
            source=source(),
            machine=self._machine,
            versions=versions() | self.versions,
            figures=list(self._figures),
            notes=list(self.notes),
        )

    def save(self) -> Path:
        """Keep the result where the report looks for it."""
        return save(self.result(), self._folder)

    @contextmanager
    def steps(self, total: int, doing: str = "") -> Generator["Steps"]:
        """A bar on the terminal for the length of the block."""
        with Progress(console=self.terminal, transient=True) as progress:
            yield Steps(progress, f"{self.name} {doing}".strip(), total)


class Steps:
    """A bar that moves by one whenever something is done."""

    def __init__(self, progress: Progress, label: str, total: int) -> None:
        self._progress, self._label = progress, label
        self._task = progress.add_task(label, total=total)

    def done(self, what: str | Sequence[str] = "") -> None:
        """One step is done; `what` stands beside the bar until the next."""
        self._progress.update(self._task, advance=1, description=f"{self._label} {what}")
