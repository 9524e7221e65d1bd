"""Which prices explain what was measured best, none of them being below zero."""

from collections.abc import Sequence
from itertools import combinations

_SINGULAR = 1e-9


def fit(rows: Sequence[Sequence[float]], costs: Sequence[float]) -> tuple[float, ...]:
    """The price of each column, where a row says how many of everything came to a cost.

    Least squares of the relative errors, or the dearest rows would decide alone. Of all selections of
    columns with no price below zero it is the one that errs least; what is left out costs nothing. Columns
    that always come together cannot be told apart: one of them gets the price of both. Costs have to be
    above zero.
    """
    weighted = [[part / cost for part in row] for row, cost in zip(rows, costs, strict=True)]
    width = len(weighted[0])
    best, least = (0.0,) * width, float(len(weighted))
    for size in range(1, width + 1):
        for columns in combinations(range(width), size):
            prices = _prices(weighted, columns)
            if prices is None or min(prices) < 0:
                continue
            chosen = dict(zip(columns, prices, strict=True))
            full = tuple(chosen.get(column, 0.0) for column in range(width))
            off = error(weighted, full)
            if off < least * (1 - _SINGULAR):
                best, least = full, off
    return best


def error(weighted: Sequence[Sequence[float]], prices: Sequence[float]) -> float:
    """Sum of the squared relative errors, the rows having been divided by their costs."""
    return sum(
        (sum(part * price for part, price in zip(row, prices, strict=True)) - 1) ** 2 for row in weighted
    )


def _prices(weighted: Sequence[Sequence[float]], columns: Sequence[int]) -> list[float] | None:
    """By the normal equations; None where the columns cannot be told apart."""
    picked = [[row[column] for column in columns] for row in weighted]
    size = len(columns)
    table = [
        [*(sum(row[i] * row[j] for row in picked) for j in range(size)), sum(row[i] for row in picked)]
        for i in range(size)
    ]
    scale = [table[i][i] for i in range(size)]
    for i in range(size):
        pivot = max(range(i, size), key=lambda k: abs(table[k][i]))
        if abs(table[pivot][i]) <= _SINGULAR * scale[i]:
            return None
        table[i], table[pivot] = table[pivot], table[i]
        for k in range(size):
            if k != i:
                factor = table[k][i] / table[i][i]
                table[k] = [a - factor * b for a, b in zip(table[k], table[i], strict=True)]
    return [table[i][size] / table[i][i] for i in range(size)]
