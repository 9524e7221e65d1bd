"""Which seeds are played, and what a failing one says."""

import os
from collections.abc import Callable, Iterable
from datetime import date

from benchmarks.history import Record, Violation
from simulation.world import simulate

SEEDS = 1000
CHUNK = 25
SHOWN = 5
"""Violations in the message; the rest usually follows from the first."""


def chosen() -> list[range]:
    """1,000 seeds in chunks: always the same, in the nightly profile the day's own; or the one asked for."""
    if one := os.environ.get("PENSTOCK_SEED"):
        return [range(int(one), int(one) + 1)]
    nightly = os.environ.get("HYPOTHESIS_PROFILE") == "nightly"
    first = date.today().toordinal() * SEEDS if nightly else 0  # the date, because all of xdist must agree
    return [range(start, start + CHUNK) for start in range(first, first + SEEDS, CHUNK)]


Simulate = Callable[[int], tuple[list[Record], list[Violation]]]


def play(seeds: Iterable[int], simulate: Simulate = simulate) -> None:
    """Play each seed; raises `AssertionError` for the first that goes wrong, telling how to play it again."""
    for seed in seeds:
        try:
            _, violations = simulate(seed)
        except Exception as error:
            raise AssertionError(f"seed {seed} raised {error!r}; {_again(seed)}") from error
        if violations:
            shown = "\n  ".join(map(str, violations[:SHOWN]))
            raise AssertionError(f"seed {seed} broke {len(violations)} rules; {_again(seed)}\n  {shown}")


def _again(seed: int) -> str:
    return f"play it again: PENSTOCK_SEED={seed} python -m pytest tests/simulation"
