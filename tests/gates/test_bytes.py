"""What submitting and settling cost on the wire and in the server: figures that no machine's speed changes.

| one job             | commands | round trips | bytes sent | bytes received |
|---------------------|----------|-------------|------------|----------------|
| submitted by itself | 6        | 1           | 219        | 58             |
| one of 500          | 0.014    | 0.002       | 101        | 54             |
| claimed and settled | 1.23     | 0.02        | 109        | 157            |

Commands are the server's, those inside scripts included. Claims and settlements are of 100 jobs. One that has
grown by more than a tenth fails; see `test_python_calls.py` for what to do then.
"""

from collections.abc import AsyncGenerator, Iterator
from contextlib import asynccontextmanager
from typing import NamedTuple

import pytest
import trio

from benchmarks.drain import commands_of, noop
from gates.counting import HEAVIER
from penstock.engine import Client
from penstock.engine.redis_store import RedisStore
from penstock.engine.transport import Redis
from support.redis_server import ValkeyServer, valkey_server
from support.stores import LEASE, new_job, settlement

JOBS = 1000
BULK, BULKS, BATCH = 500, 20, 100


class Cost(NamedTuple):
    """Of one job."""

    commands: float
    round_trips: float
    sent: float
    received: float


FIGURES = {
    "single": Cost(6.0, 1.0, 218.8, 58.0),
    "bulk": Cost(0.014, 0.002, 101.5, 54.0),
    "settled": Cost(1.23, 0.02, 109.5, 156.5),
}


@pytest.fixture
def server() -> Iterator[ValkeyServer]:
    """A server whose counters nobody else moves."""
    with valkey_server() as running:
        yield running


@asynccontextmanager
async def measured(
    redis: Redis, what: str, jobs: int = JOBS, calls: int | None = None
) -> AsyncGenerator[None]:
    """Hold what goes over the link during the block, and what the server does for it, against the figures.

    Submitters look at memory and relays once a second, four commands: not counted, and known by being more
    round trips than the `calls` that the block makes.
    """
    began = trio.current_time()
    traffic, commands = redis.traffic, await commands_of(redis)
    trips, sent, received = traffic.round_trips, traffic.bytes_sent, traffic.bytes_received
    yield
    trips, sent = traffic.round_trips - trips, traffic.bytes_sent - sent
    received = traffic.bytes_received - received
    commands = await commands_of(redis) - commands - 1  # the look before the block is counted in it
    looks = 0 if calls is None else trips - calls
    assert 0 <= looks <= trio.current_time() - began + 1
    commands, trips = commands - 4 * looks, trips - looks
    cost = Cost(commands / jobs, trips / jobs, sent / jobs, received / jobs)
    print(f"{what}: {cost}")  # noqa: T201 - shown with -s
    for name, figure, most in zip(Cost._fields, cost, FIGURES[what], strict=True):
        assert figure <= most * HEAVIER, name


async def test_submitting_costs_few_bytes_and_commands(server: ValkeyServer) -> None:
    """One by one, and 500 at a time."""
    async with Redis(server.url) as redis:
        client = Client(RedisStore(redis))
        await client.submit(noop, 0)  # the scripts are loaded, the queue is known
        await client.submit_many([noop.request(0)] * 2)
        async with measured(redis, "single", calls=JOBS):
            for number in range(JOBS):
                await client.submit(noop, number)
        async with measured(redis, "bulk", BULKS * BULK, calls=BULKS):
            for _ in range(BULKS):
                await client.submit_many([noop.request(number) for number in range(BULK)])


async def test_claiming_and_settling_costs_few_bytes_and_commands(server: ValkeyServer) -> None:
    """What a worker sends and is sent for a job at full load."""
    async with Redis(server.url) as redis:
        store = RedisStore(redis)
        await store.submit("q", [new_job(f"{number:028}") for number in range(JOBS + BATCH)])
        await store.join("q", "w", LEASE * 1000)
        await _claim_and_settle(store, 1)  # the scripts are loaded
        async with measured(redis, "settled"):
            for number in range(JOBS // BATCH):
                await _claim_and_settle(store, number + 2)


async def _claim_and_settle(store: RedisStore, number: int) -> None:
    claim = await store.claim("q", "w", number, BATCH, suspect=True, idle=False)
    assert claim is not None
    await store.settle("q", "w", [settlement(claimed) for claimed in claim.jobs])
