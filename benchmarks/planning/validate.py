"""The simulation beside real processes: one server, one and two workers, on a backlog and at half load."""

import statistics
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import msgspec

from benchmarks.planning import half_load
from benchmarks.planning.costs import OFF, Costs
from benchmarks.planning.measuring import workers
from benchmarks.planning.measuring.measure import LAZY
from benchmarks.planning.measuring.watch import watched
from benchmarks.planning.measuring.worker_child import Order
from benchmarks.planning.model.cell import Cell, simulate
from benchmarks.servers import servers
from penstock.engine.transport import Redis

ROUNDS = 3
_PINGS = 100


class Row(msgspec.Struct, frozen=True):
    """One figure, both ways."""

    what: str
    unit: str
    predicted: float
    measured: float

    @property
    def error(self) -> float:
        """By how much the prediction is off, as a part of what was measured."""
        return self.predicted / self.measured - 1 if self.measured else 0.0


async def validate(costs: Costs, seconds: float) -> list[Row]:
    """Run what can be run on one machine, and predict it from `costs`."""
    rows, speeds = list[Row](), tuple[float, ...]()
    with tempfile.TemporaryDirectory(prefix="planning-") as folder, servers(Path(folder), LAZY) as (server,):
        await server.start()
        async with Redis(server.url) as redis:
            delay = await _delay(redis)
            for number in (2, 1):
                row, speeds = await _drain(costs, redis, server.url, number, delay, seconds)
                rows.insert(0, row)
            cell = Cell(rate=0, batch=half_load.BATCH, workers=1, delay=delay, speeds=speeds)
            rounds = await half_load.watch(costs, cell, redis, server.url, ROUNDS, seconds)
    return [*rows, *_half(rounds)]


async def _drain(
    costs: Costs, redis: Redis, url: str, number: int, delay: float, seconds: float
) -> tuple[Row, tuple[float, ...]]:
    """Jobs a second that so many workers drain, the median of several rounds; shares of cores in the last."""
    measured, predicted, order = list[float](), list[float](), Order(seconds)
    speeds = tuple[float, ...]()
    async with workers.children(url, number) as crew:
        for _ in range(ROUNDS):
            await workers.fill(redis, number, order)
            turns, speed = await watched(redis, crew, order)
            measured.append(sum(turn.jobs / turn.seconds for turn in turns))
            speeds = speed, *(turn.share for turn in turns)
            cell = Cell(rate=0, workers=number, delay=delay, speeds=speeds)
            predicted.append(simulate(cell, costs.server, costs.worker[OFF]).rate)
    what = f"jobs a second, {number} worker{'s' if number > 1 else ''} on a backlog"
    return _row(what, "jobs/s", predicted, measured), speeds


def _half(rounds: Sequence[half_load.Round]) -> list[Row]:
    """Medians of all rounds."""
    found = [
        ("wait at half load, median", "ms"),
        ("wait at half load, p99", "ms"),
        ("server at half load, a job", "µs"),
    ]
    return [
        _row(what, unit, [one.predicted[at] for one in rounds], [one.measured[at] for one in rounds])
        for at, (what, unit) in enumerate(found)
    ]


def _row(what: str, unit: str, predicted: Sequence[float], measured: Sequence[float]) -> Row:
    return Row(what, unit, statistics.median(predicted), statistics.median(measured))


async def _delay(redis: Redis) -> float:
    """Seconds of half a round trip, the loop's own part included."""
    taken = list[float]()
    for _ in range(_PINGS):
        began = time.perf_counter()
        await redis.execute("PING")
        taken.append(time.perf_counter() - began)
    return statistics.median(taken) / 2
