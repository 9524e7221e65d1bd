"""Whose database it is: how a part's errors and metrics are called."""

from typing import NamedTuple

from penstock.engine.metric import PART, Counter, Gauge, Histogram, Metric
from penstock.engine.sql.errors import Kinds


class Measures(NamedTuple):
    """What is counted and measured of one part's use of its database."""

    pool_connections: Gauge
    pool_timeouts: Counter
    operation_seconds: Histogram
    errors: Counter

    def all(self) -> tuple[Metric, ...]:
        """All of them."""
        return tuple(self)


class Part(NamedTuple):
    """One part of the engine that has a database."""

    name: str
    """As it stands in sentences: `history`."""
    kinds: Kinds
    measures: Measures


def measures(name: str, part: str) -> Measures:
    """Those whose names begin with `name` and whose help speaks of `part`."""
    return Measures(
        Gauge(
            PART,
            f"{name}_pool_connections",
            f"Connections to the {part}'s database that are open (size) and used (in_use), and calls that "
            "wait for one (waiting).",
            ("state",),
        ),
        Counter(
            PART,
            f"{name}_pool_timeouts",
            f"Calls that waited in vain for a connection to the {part}'s database.",
        ),
        Histogram(
            PART,
            f"{name}_operation_seconds",
            f"How long the {part}'s operations took, those that failed included, from having a connection "
            "on.",
            ("operation",),
            buckets=(0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30),
        ),
        Counter(
            PART, f"{name}_errors", f"Operations of the {part} that failed.", ("operation", "error_type")
        ),
    )
