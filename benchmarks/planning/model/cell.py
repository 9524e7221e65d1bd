"""One cell put together, run for a while, and what was seen."""

import random
import statistics
from collections.abc import Sequence

import msgspec

from benchmarks.planning.costs import Server, Step
from benchmarks.planning.model.clock import Clock
from benchmarks.planning.model.node import Line, Node
from benchmarks.planning.model.worker import Worker

WARM_UP = 0.3
"""Part of a run that is not counted."""


class Cell(msgspec.Struct, frozen=True, kw_only=True):
    """What one cell is made of. Seconds."""

    rate: float
    """Jobs submitted a second, at random moments; 0 for a backlog that does not end."""
    batch: int = 1
    """Jobs in one submission."""
    queues: int = 1
    workers: int
    """All of them; as many for each queue, as far as that goes."""
    concurrency: int = 64
    work: float = 0.0
    """Mean that a handler waits for others, exponentially distributed; 0 for none."""
    delay: float = 0.0001
    """On the way between any two machines, one way."""
    sync: float = 0.0
    """Of the disk, where what is acknowledged has to be there."""
    speeds: tuple[float, ...] = ()
    """Share of a core that the server and then each worker gets, where it is not all of one."""


class Seen(msgspec.Struct, frozen=True):
    """What happened after warming up."""

    rate: float  # jobs settled a second
    server: float  # part of its core in use
    worker: float  # the same, mean of the workers
    claimed: float  # mean jobs in a claim that was answered
    settled: float  # mean jobs in a settlement
    median: float  # seconds from when a job was stored to its start
    p99: float
    growing: bool
    """Whether more came in than was done, what the server has not got to included."""
    cost: float
    """Seconds of a worker's core for each job."""


def simulate(cell: Cell, server: Server, worker: Step, *, seconds: float = 2.0, seed: int = 1) -> Seen:
    """Run a cell for so long."""
    clock, rng, waits = Clock(), random.Random(seed), list[float]()
    speeds = cell.speeds or (1.0,) * (cell.workers + 1)
    node = Node(clock, server, sync=cell.sync, delay=cell.delay, speed=speeds[0])
    lines = [Line() for _ in range(cell.queues)]
    workers = [
        Worker(
            clock,
            node,
            lines[number % cell.queues],
            worker,
            work=lambda: rng.expovariate(1 / cell.work) if cell.work else 0.0,
            started=waits.append,
            concurrency=cell.concurrency,
            speed=speeds[number + 1],
        )
        for number in range(cell.workers)
    ]
    for one in workers:
        clock.after(rng.random() * 0.01, one.fetch)
    _load(clock, rng, node, lines, cell, seconds)
    clock.run(seconds * WARM_UP)
    before = _Counts(node, workers, len(waits))
    clock.run(seconds)
    after = _Counts(node, workers, len(waits))
    return _seen(cell, before, after, waits, seconds * (1 - WARM_UP))


def _load(
    clock: Clock, rng: random.Random, node: Node, lines: Sequence[Line], cell: Cell, seconds: float
) -> None:
    if not cell.rate:
        for line in lines:
            line.jobs.extend([0.0] * int(seconds * 60_000 * max(1, cell.workers / len(lines))))
        return

    def submit() -> None:
        node.submit(rng.choice(lines), cell.batch)
        clock.after(rng.expovariate(cell.rate / cell.batch), submit)

    submit()


class _Counts:
    def __init__(self, node: Node, workers: Sequence[Worker], started: int) -> None:
        self.server = node.busy
        self.workers = statistics.fmean(one.processor.busy for one in workers)
        self.crew = len(workers)
        self.claimed, self.claims = node.claimed, node.claims
        self.settled, self.settles = node.settled, node.settles
        self.asked = node.asked
        self.started = started


def _seen(cell: Cell, before: _Counts, after: _Counts, waits: Sequence[float], seconds: float) -> Seen:
    counted = sorted(waits[before.started :]) or [0.0]
    settled, asked = after.settled - before.settled, after.asked - before.asked
    worked = after.workers - before.workers
    return Seen(
        rate=settled / seconds,
        server=(after.server - before.server) / seconds,
        worker=worked / seconds,
        claimed=(after.claimed - before.claimed) / max(1, after.claims - before.claims),
        settled=settled / max(1, after.settles - before.settles),
        median=counted[len(counted) // 2],
        p99=counted[int(len(counted) * 0.99)],
        growing=asked - settled > max(0.02 * asked, 5 * cell.batch),
        cost=worked * after.crew / max(1, settled),
    )
