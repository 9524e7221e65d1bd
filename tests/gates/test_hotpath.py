"""What a job costs in commands, round trips and bytes: figures that do not depend on the machine."""

from collections.abc import Iterator

import pytest
import trio

from benchmarks.drain import bench, commands_of, noop
from penstock.engine import Client, Observers, Registry, Seams, Worker
from penstock.engine.events import Settled
from penstock.engine.redis_store import RedisStore
from penstock.engine.transport import Redis
from support.redis_server import ValkeyServer, valkey_server
from support.work import Ears

JOBS = 3000


@pytest.fixture
def server() -> Iterator[ValkeyServer]:
    """A server whose counters nobody else moves."""
    with valkey_server() as running:
        yield running


async def _drain(redis: Redis, tenants: int) -> tuple[float, float]:
    """Commands and round trips a job, from the start of the worker to the last settlement."""
    client, ears = Client(RedisStore(redis)), Ears()
    jobs = [noop.using(tenant=f"t{number % tenants}" if tenants > 1 else None) for number in range(tenants)]
    await client.submit_many([jobs[number % tenants].request(number) for number in range(JOBS)])
    worker = Worker(client.store, Registry([bench]), seams=Seams(Observers(ears)))
    before, trips = await commands_of(redis), redis.traffic.round_trips
    async with trio.open_nursery() as nursery:
        nursery.start_soon(worker.run)
        with trio.fail_after(60):
            while sum(event.count for event in ears.of(Settled)) < JOBS:
                await ears.wait_for(Settled, count=len(ears.of(Settled)) + 1)
        commands, trips = await commands_of(redis) - before, redis.traffic.round_trips - trips
        worker.drain()
    return commands / JOBS, trips / JOBS


@pytest.mark.parametrize(("tenants", "most"), [(1, 2.0), (JOBS, 3.0)])
async def test_draining_costs_few_commands_and_fewer_round_trips(
    server: ValkeyServer, tenants: int, most: float
) -> None:
    """Commands inside scripts counted: at most 2 a job for one tenant, 3 for as many tenants as jobs."""
    async with Redis(server.url) as redis:
        commands, trips = await _drain(redis, tenants)

    assert commands <= most
    assert trips <= 0.2


async def test_submitting_one_job_costs_few_commands(server: ValkeyServer) -> None:
    """One round trip; one script of six commands."""
    async with Redis(server.url) as redis:
        client = Client(RedisStore(redis))
        await client.submit(noop, 0)  # the script is loaded, the queue is known
        before, trips = await commands_of(redis), redis.traffic.round_trips
        for number in range(100):
            await client.submit(noop, number)
        trips = redis.traffic.round_trips - trips
        commands = await commands_of(redis) - before

    assert trips == 100
    assert commands / 100 <= 7.1  # the look at the counters is counted too


async def test_a_waiting_job_takes_little_memory(server: ValkeyServer) -> None:
    """At most 400 bytes a job in Redis, record, key and place in line together."""
    async with Redis(server.url) as redis:
        client = Client(RedisStore(redis))
        before = await _memory(redis)
        for _ in range(10):
            await client.submit_many([noop.request(number) for number in range(1000)])
        taken = (await _memory(redis) - before) / 10_000

    assert taken <= 400


async def _memory(redis: Redis) -> int:
    info = await redis.execute("INFO", "memory")
    assert isinstance(info, bytes)
    return int(info.split(b"used_memory:")[1].split(b"\r\n")[0])
