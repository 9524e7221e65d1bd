"""How many servers, queues, workers and APIs a load needs: from costs, checked by simulating one cell."""

import math
import random
import statistics
from collections.abc import Callable

import msgspec

from benchmarks.planning.costs import ON, Costs
from benchmarks.planning.model.cell import Cell, Seen, simulate

ROOM = 0.6
"""Part of a core that is planned with: the rest is for bursts, for the loss of a machine, and for waits."""
DELAY = 0.00025
"""Seconds between two machines of a data centre, one way."""
RATES = (10_000, 100_000, 1_000_000)
BATCHES = (1, 100)
"""Jobs in one submission: one request each, or many in one (`submit_many`, NDJSON)."""
PARTS = (0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95)
"""Of a ceiling, at which waits are looked at."""
_STRIDE = 1.5
_LOWEST = 64.0  # times less than what is possible at best: no less is looked for
_JOBS, _SUBMISSIONS = 8_000, 200  # that a simulated cell sees at least
_DRAWS = 400


class Plan(msgspec.Struct, frozen=True):
    """What a load needs. `workers` and `apis` are processes with a core each."""

    rate: int
    batch: int
    nodes: int
    workers: int
    apis: int
    cell: Seen
    """Of one of the nodes with its share of everything."""
    received: float
    """Megabits a second into each node; `sent` out of it."""
    sent: float
    written: float
    """Megabytes a second that each node appends to its file."""


class Ceiling(msgspec.Struct, frozen=True):
    """The most that one queue takes, on a server of its own with workers enough."""

    batch: int
    sync: bool
    rate: float


def plan(costs: Costs, rate: int, batch: int) -> Plan:
    """Add servers and workers until a cell has room; a worker does all that telemetry has to offer."""
    server, worker = costs.server, costs.worker[ON]
    least = server.submit.of(batch) / batch + server.claim.job + server.settle.job
    nodes = max(1, math.ceil(rate * least / 1e6 / ROOM))
    crew = max(1, math.ceil(rate / nodes * worker.job / 1e6 / ROOM))
    while True:
        share = rate / nodes
        cell = Cell(rate=share, batch=batch, workers=crew, delay=DELAY)
        seen = simulate(cell, server, worker, seconds=_seconds(share, batch))
        if seen.server > ROOM:
            nodes = max(nodes + 1, math.ceil(nodes * min(_STRIDE, seen.server / ROOM)))
            crew = max(1, math.ceil(rate / nodes * seen.cost / ROOM))
        elif seen.worker > ROOM or seen.growing:
            crew += 1
        else:
            break
    submission = costs.request if batch == 1 else costs.line
    return Plan(
        rate=rate,
        batch=batch,
        nodes=nodes,
        workers=crew * nodes,
        apis=max(1, math.ceil(rate * submission / 1e6 / ROOM)),
        cell=seen,
        received=rate / nodes * costs.bytes.received * 8 / 1e6,
        sent=rate / nodes * costs.bytes.sent * 8 / 1e6,
        written=rate / nodes * costs.bytes.append_only / 1e6,
    )


def ceiling(costs: Costs, batch: int, *, sync: bool) -> Ceiling:
    """Look for the rate from which on a single queue falls behind, to one part in twenty."""

    def keeps_up(rate: float) -> bool:
        return not _alone(costs, rate, batch, rate, sync=sync).growing

    return Ceiling(batch, sync, round(highest(keeps_up, bound(costs, batch))))


def bound(costs: Costs, batch: int) -> float:
    """Jobs a second that nothing can surpass, each costing the server at least this much.

    That is its share of a submission and its own part of a claim and of a settlement, however many are in
    them.
    """
    server = costs.server
    return 1e6 / max(1e-3, server.submit.of(batch) / batch + server.claim.job + server.settle.job)


def highest(keeps_up: Callable[[float], bool], most: float) -> float:
    """Halve the distance until the highest rate that is kept up with is known to one part in twenty."""
    low, high = most / _LOWEST, most
    while high / low > 1.05:
        middle = math.sqrt(low * high)
        if keeps_up(middle):
            low = middle
        else:
            high = middle
    return low


def waits(costs: Costs, top: Ceiling) -> list[Seen]:
    """What a queue's jobs wait for at each of `PARTS` of its ceiling."""
    return [_alone(costs, part * top.rate, top.batch, top.rate, sync=top.sync) for part in PARTS]


def _alone(costs: Costs, rate: float, batch: int, top: float, *, sync: bool) -> Seen:
    """One queue on a server of its own, with workers enough for `top`."""
    worker = costs.worker[ON]
    crew = max(2, math.ceil(top * worker.of(0.1) / 1e6 / ROOM))
    seconds = costs.sync / 1e3 if sync else 0.0
    cell = Cell(rate=rate, batch=batch, workers=crew, delay=DELAY, sync=seconds)
    return simulate(cell, costs.server, worker, seconds=_seconds(rate, batch))


def unevenness(nodes: int, queues: int, seed: int = 1) -> float:
    """How much more than its share the fullest of `nodes` has, where names alone place equal queues.

    The median of many draws; a Cluster places a queue by a hash of its name.
    """
    rng, found = random.Random(seed), list[float]()
    for _ in range(_DRAWS):
        held = [0] * nodes
        for _ in range(queues):
            held[rng.randrange(nodes)] += 1
        found.append(max(held) * nodes / queues)
    return statistics.median(found)


def _seconds(rate: float, batch: int) -> float:
    return max(0.5, max(_JOBS, _SUBMISSIONS * batch) / rate)
