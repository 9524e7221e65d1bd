"""How many Python functions are called for one job on the hot path: a figure that no machine's speed changes.

| one no-op job                     | in `penstock` | in all code |
|-----------------------------------|---------------|-------------|
| in a worker, from claim to ending | 41.7          | 54.4        |
| in `RedisStore`, claim and settle | 0.83–1.13     | 4.3–4.6     |
| in a worker, all telemetry on     | 76.2          | 89.0        |

The worker has a store in memory and a clock that stands still, neither of which is counted, so that its
batches are always the same; the other row is for batches of 100, and each piece more in which replies arrive
counts 0.1. Python 3.11, 3.12 and 3.13 agree within 1 %,
since comprehensions, which 3.12 no longer calls, are left out.

A change that makes a job cost 10 % more fails here. Where it is worth it, or a new version of Trio calls more
functions, run this file with `-s`, which prints the figures, and put them into `FIGURES` and the table above.
"""

import io

import trio
from trio.testing import MockClock

from benchmarks.drain import Countdown, bench, noop
from benchmarks.telemetry_variants import ALL, requested_by_somebody
from gates.counting import counted
from gates.discard import Discard
from penstock.engine import Client, Observers, Registry, Seams, Worker
from penstock.engine.memory_store import MemoryStore
from penstock.engine.redis_store import RedisStore
from penstock.engine.transport import Redis
from penstock.telemetry import Telemetry
from penstock.telemetry.export.start import Export
from penstock.telemetry.logs.setup import configure_logs
from penstock.telemetry.metrics.families import Metrics
from penstock.telemetry.traces.provider import Provider
from support.redis_server import valkey_server
from support.stores import LEASE, new_job, settlement
from support.work import virtual_clock

FIGURES = {"worker": (41.1, 53.9), "store": (1.13, 4.6), "telemetry": (73.3, 86.2)}
"""Calls a job: in Penstock's code, and in all code."""
JOBS = 2000
BATCH = 100


async def test_a_job_costs_the_worker_few_calls(autojump_clock: MockClock) -> None:
    """Fetched, run and settled at full load."""
    store, countdown = MemoryStore(virtual_clock), Countdown(JOBS)
    await Client(store).submit_many([noop.request(number) for number in range(JOBS)])
    worker = Worker(store, Registry([bench]), seams=Seams(Observers(countdown)))
    async with trio.open_nursery() as nursery:
        with counted() as calls:
            nursery.start_soon(worker.run)
            await countdown.done.wait()
        worker.drain()
    calls.check("worker", JOBS, FIGURES["worker"])


async def test_a_job_costs_telemetry_few_calls(autojump_clock: MockClock) -> None:
    """The same with two spans, encoded, a line and five metric updates; jobs are sampled, one by one."""
    store, countdown = MemoryStore(virtual_clock), Countdown(JOBS)
    client = Client(store, requested_by_somebody(ALL))
    for number in range(JOBS):
        await client.submit_request(noop.request(number))
    provider = Provider()
    provider.add_outlet(Discard())
    logs = configure_logs(format="json", stream=io.StringIO())
    telemetry = Telemetry(logs, Metrics(), Export(provider))
    seams = telemetry.seams()
    seams.observers.add(countdown)
    worker = Worker(store, Registry([bench]), seams=seams)
    async with trio.open_nursery() as nursery:
        with counted() as calls:
            nursery.start_soon(worker.run)
            await countdown.done.wait()
        worker.drain()
    await telemetry.aclose()
    calls.check("telemetry", JOBS, FIGURES["telemetry"])


async def test_a_job_costs_the_store_few_calls() -> None:
    """Read from a claim's reply, written into a settlement; the rest is shared by the batch."""
    with valkey_server() as server:
        async with Redis(server.url) as redis:
            store = RedisStore(redis)
            await store.submit("q", [new_job(str(number)) for number in range(JOBS + BATCH)])
            await store.join("q", "w", LEASE * 1000)
            await _claim_and_settle(store, 1)  # the scripts are loaded
            with counted() as calls:
                for number in range(JOBS // BATCH):
                    await _claim_and_settle(store, number + 2)
    calls.check("store", JOBS, FIGURES["store"])


async def _claim_and_settle(store: RedisStore, number: int) -> None:
    claim = await store.claim("q", "w", number, BATCH, suspect=True, idle=False)
    assert claim is not None
    assert len(claim.jobs) == BATCH
    await store.settle("q", "w", [settlement(claimed) for claimed in claim.jobs])
