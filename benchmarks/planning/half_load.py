"""One worker and jobs that come at random moments, half as many as it should keep up with."""

import random
import statistics
from collections.abc import Sequence

import msgspec
import trio

from benchmarks.planning.costs import OFF, Costs
from benchmarks.planning.measuring import workers
from benchmarks.planning.measuring.instruments import main_thread
from benchmarks.planning.measuring.watch import watched
from benchmarks.planning.measuring.work import QUEUE, noop
from benchmarks.planning.measuring.worker_child import WARM_UP, Order
from benchmarks.planning.model.cell import Cell, Seen, simulate
from benchmarks.planning.sizing import bound, highest
from penstock.engine import Client, Receipt
from penstock.engine.names import split_job_id
from penstock.engine.record import describe
from penstock.engine.redis_store import RedisStore
from penstock.engine.transport import Redis

BATCH = 10
PART = 0.9
"""Of a turn, in which jobs are submitted: what a worker gives back at its end waits for the next one."""
_SAMPLE = 1500  # jobs whose wait is read


class Round(msgspec.Struct, frozen=True):
    """One watch: milliseconds waited, median and p99, and microseconds of the server for each job."""

    predicted: tuple[float, float, float]
    measured: tuple[float, float, float]


async def watch(costs: Costs, cell: Cell, redis: Redis, url: str, rounds: int, seconds: float) -> list[Round]:
    """Have such a cell in reality, at half of the rate that it should keep up with."""

    def keeps_up(rate: float) -> bool:
        return not _predict(costs, cell, rate, cell.speeds).growing

    rate = highest(keeps_up, bound(costs, BATCH)) / 2
    async with workers.children(url, 1) as crew:
        await _empty(redis, crew)
        return [await _round(costs, cell, redis, crew, rate, seconds) for _ in range(rounds)]


async def _round(
    costs: Costs, cell: Cell, redis: Redis, crew: Sequence[workers.Child], rate: float, seconds: float
) -> Round:
    receipts, spent = list[Receipt](), await main_thread(redis)
    lasting = PART * (WARM_UP + seconds)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(_submit, redis, rate, lasting, receipts)
        turns, speed = await watched(redis, crew, Order(seconds))
    await _empty(redis, crew)
    spent, waits = await main_thread(redis) - spent, await _waits(redis, receipts)
    came = len(receipts) / lasting
    seen = _predict(costs, cell, came, (speed, *(turn.share for turn in turns)))
    p99 = statistics.quantiles(waits, n=100, method="inclusive")[98]
    return Round(
        predicted=(1e3 * seen.median, 1e3 * seen.p99, 1e6 * seen.server * speed / came),
        measured=(1e3 * statistics.median(waits), 1e3 * p99, spent / len(receipts)),
    )


def _predict(costs: Costs, cell: Cell, rate: float, speeds: tuple[float, ...]) -> Seen:
    cell = msgspec.structs.replace(cell, rate=rate, speeds=speeds)
    return simulate(cell, costs.server, costs.worker[OFF])


async def _empty(redis: Redis, crew: Sequence[workers.Child]) -> None:
    """Work until nothing waits."""
    while (await RedisStore(redis).facts(QUEUE)).ready:
        await crew[0].take_turn(Order(1.0))


async def _submit(redis: Redis, rate: float, seconds: float, receipts: list[Receipt]) -> None:
    """At random moments, whether or not those before have been answered."""
    client, rng = Client(RedisStore(redis), max_waiting=0), random.Random(1)

    async def once() -> None:
        receipts.extend(await client.submit_many([noop.request(number) for number in range(BATCH)]))

    due, ending = trio.current_time(), trio.current_time() + seconds
    async with trio.open_nursery() as nursery:
        while (due := due + rng.expovariate(rate / BATCH)) < ending:
            await trio.sleep_until(due)
            nursery.start_soon(once)


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
