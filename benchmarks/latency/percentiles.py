"""Exact quantiles of everything that was seen: no buckets, no library."""

from collections.abc import Sequence
from math import ceil

TOLD = (50.0, 90.0, 99.0, 99.9)
"""Percentiles that stand in the report."""
QUANTILES = (*range(1, 50), *range(50, 100), 99.5, 99.9, 99.99, 100.0)
"""Those of the curves."""


def quantile(ordered: Sequence[float], percent: float) -> float:
    """The smallest value that `percent` of all do not exceed; the values are in order and not none."""
    return ordered[max(0, ceil(len(ordered) * percent / 100) - 1)]
