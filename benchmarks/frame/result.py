"""What a benchmark found: figures, one value a turn, and all that is needed to judge them. Kept as JSON."""

import os
import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import msgspec

from benchmarks.frame.machine import ROOT, Machine

FOLDER = ROOT / "benchmarks" / "results"
"""Where results are kept, and read by `python -m benchmarks report`."""

Place = str | int | float


class Figure(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One thing measured again and again; value n of all figures of a result comes from round n."""

    what: str
    unit: str
    values: list[float]
    who: str = ""
    at: dict[str, Place] = {}


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """One run of one benchmark."""

    benchmark: str
    began: str  # ISO 8601, UTC
    seconds: float
    seed: int
    quick: bool
    source: str
    """What `machine.source` said: which code was measured."""
    machine: Machine
    versions: dict[str, str]
    figures: list[Figure]
    notes: list[str] = []

    def find(self, what: str, who: str | None = None, **at: Place) -> Figure | None:
        """The first figure of that name, of that contestant and at that place where they are given."""
        for figure in self.figures:
            if figure.what == what and who in (None, figure.who) and at.items() <= figure.at.items():
                return figure
        return None

    def every(self, what: str, **at: Place) -> list[Figure]:
        """All figures of that name, at that place where it is given."""
        return [one for one in self.figures if one.what == what and at.items() <= one.at.items()]


class Spread(NamedTuple):
    """Quartiles: half of all turns lie between `low` and `high`."""

    low: float
    middle: float
    high: float


def spread(values: Sequence[float]) -> Spread:
    """Quartiles of some turns; of a single one, itself three times."""
    if len(values) < 2:
        return Spread(values[0], values[0], values[0])
    return Spread(*statistics.quantiles(values, n=4, method="inclusive"))


def ratios(above: Figure, below: Figure) -> list[float]:
    """The ratio of each round, whose turns lie seconds apart; a machine that drifts does not enter."""
    return [one / other for one, other in zip(above.values, below.values, strict=False) if other]


def save(result: Result, folder: Path = FOLDER) -> Path:
    """Write it whole or not at all; the last result of the same benchmark goes."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{result.benchmark}.json"
    draft = path.with_suffix(".new")
    draft.write_bytes(msgspec.json.format(msgspec.json.encode(result), indent=1) + b"\n")
    os.replace(draft, path)
    return path


def load(benchmark: str, folder: Path = FOLDER) -> Result | None:
    """The last result of a benchmark, or None where there is none that this version can read."""
    try:
        return msgspec.json.decode((folder / f"{benchmark}.json").read_bytes(), type=Result)
    except (FileNotFoundError, msgspec.ValidationError):
        return None
