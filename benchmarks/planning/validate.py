"""The simulation beside real processes: one server with one and two workers, and waits at half the load."""

import random
import statistics
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import msgspec
import trio

from benchmarks.planning.costs import OFF, Costs
from benchmarks.planning.measuring import workers
from benchmarks.planning.measuring.instruments import info, share, waited
from benchmarks.planning.measuring.measure import LAZY
from benchmarks.planning.measuring.work import QUEUE, noop
from benchmarks.planning.measuring.worker_child import WARM_UP, Order, Turn
from benchmarks.planning.model.cell import Cell, Seen, simulate
from benchmarks.servers import servers
from penstock.engine import Client, Receipt
from penstock.engine.names import split_job_id
from penstock.engine.record import describe
from penstock.engine.redis_store import RedisStore
from penstock.engine.transport import Redis

ROUNDS = 3
BATCH = 10
_SAMPLE = 1500  # jobs whose wait is read
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
    rows = list[Row]()
    with tempfile.TemporaryDirectory(prefix="planning-") as folder, servers(Path(folder), LAZY) as (server,):
        await server.start()
        async with Redis(server.url) as redis:
            delay = await _delay(redis)
            rates = list[float]()
            for number in (1, 2):
                row = await _drain(costs, redis, server.url, number, delay, seconds)
                rates.append(row.measured)
                rows.append(row)
            rows += await _wait(costs, redis, server.url, rates[0] / 2, delay, seconds)
    return rows


async def _drain(costs: Costs, redis: Redis, url: str, number: int, delay: float, seconds: float) -> Row:
    """Jobs a second that so many workers drain: medians of several rounds."""
    measured, predicted, order = list[float](), list[float](), Order(seconds)
    async with workers.children(url, number) as crew:
        for _ in range(ROUNDS):
            await workers.fill(redis, number, order)
            turns, speed = await _watched(redis, crew, order)
            measured.append(sum(turn.jobs / turn.seconds for turn in turns))
            cell = Cell(rate=0, workers=number, delay=delay, speeds=(speed, *(turn.share for turn in turns)))
            predicted.append(_predict(costs, cell).rate)
    what = f"jobs a second, {number} worker{'s' if number > 1 else ''} on a backlog"
    return Row(what, "jobs/s", statistics.median(predicted), statistics.median(measured))


async def _watched(redis: Redis, crew: Sequence[workers.Child], order: Order) -> tuple[list[Turn], float]:
    """A turn of all, and the share of a core that the server got when it wanted one."""
    pid = int((await info(redis, "server"))["process_id"])
    before = waited(pid)
    turns = await workers.take_turns(crew, order)
    return turns, share(before, waited(pid))


async def _wait(costs: Costs, redis: Redis, url: str, rate: float, delay: float, seconds: float) -> list[Row]:
    """How long jobs wait that come at random moments, ten at a time."""
    async with workers.children(url, 1) as crew:
        await crew[0].take_turn(Order(0.0))
        while (await RedisStore(redis).facts(QUEUE)).ready:
            await crew[0].take_turn(Order(seconds))
        receipts, order = list[Receipt](), Order(2 * seconds)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_submit, redis, rate, WARM_UP + order.seconds, receipts)
            [turn], speed = await _watched(redis, crew, order)
        while (await RedisStore(redis).facts(QUEUE)).ready:
            await crew[0].take_turn(Order(seconds))
    found = await _waits(redis, receipts)
    cell = Cell(rate=rate, batch=BATCH, workers=1, delay=delay, speeds=(speed, turn.share))
    seen = _predict(costs, cell)
    p99 = statistics.quantiles(found, n=100, method="inclusive")[98]
    return [
        Row("wait at half of that, median", "ms", 1000 * seen.median, 1000 * statistics.median(found)),
        Row("wait at half of that, p99", "ms", 1000 * seen.p99, 1000 * p99),
    ]


async def _submit(redis: Redis, rate: float, seconds: float, receipts: list[Receipt]) -> None:
    client, rng = Client(RedisStore(redis), max_waiting=0), random.Random(1)
    due, ending = trio.current_time(), trio.current_time() + seconds * 0.9
    while due < ending:
        due += rng.expovariate(rate / BATCH)
        await trio.sleep_until(due)
        receipts += await client.submit_many([noop.request(number) for number in range(BATCH)])


async def _waits(redis: Redis, receipts: Sequence[Receipt]) -> list[float]:
    """Seconds; the clocks tell milliseconds. Those from before the worker was warm are left out."""
    store, found = RedisStore(redis), list[float]()
    warm = receipts[len(receipts) // 3 :]
    for receipt in warm[:: max(1, len(warm) // _SAMPLE)]:
        queue, suffix = split_job_id(receipt.id)
        record = await store.read(queue, suffix)
        assert record is not None
        job = describe(queue, suffix, record, worker=None, started=None)
        if job.started_at is not None:
            found.append(max(0.0, job.started_at - job.submitted_at))
    return found


async def _delay(redis: Redis) -> float:
    """Seconds of half a round trip, the loop's own part included."""
    taken = list[float]()
    for _ in range(_PINGS):
        began = time.perf_counter()
        await redis.execute("PING")
        taken.append(time.perf_counter() - began)
    return statistics.median(taken) / 2


def _predict(costs: Costs, cell: Cell) -> Seen:
    return simulate(cell, costs.server, costs.worker[OFF])
