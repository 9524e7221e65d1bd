"""What a job costs in commands, round trips and bytes: figures that do not depend on the machine."""

from collections.abc import Iterator

import pytest
import trio

from benchmarks.drain import Countdown, bench, commands_of, noop
from penstock.engine import Client, Observers, Registry, Seams, Worker
from penstock.engine.redis_store import RedisStore
from penstock.engine.transport import Redis
from support.redis_server import ValkeyServer, valkey_server


@pytest.fixture
def server() -> Iterator[ValkeyServer]:
    """A server whose counters nobody else moves."""
    with valkey_server() as running:
        yield running


async def _drain(redis: Redis, jobs: int, tenants: int) -> tuple[float, float]:
    """Commands and round trips a job, from the start of the worker to the last settlement."""
    client, countdown = Client(RedisStore(redis)), Countdown(jobs)
    of = [noop.using(tenant=f"t{number}" if tenants > 1 else None) for number in range(tenants)]
    await client.submit_many([of[number % tenants].request(number) for number in range(jobs)])
    worker = Worker(client.store, Registry([bench]), seams=Seams(Observers(countdown)))
    before, trips = await commands_of(redis), redis.traffic.round_trips
    async with trio.open_nursery() as nursery:
        nursery.start_soon(worker.run)
        with trio.fail_after(60):
            await countdown.done.wait()
        commands, trips = await commands_of(redis) - before, redis.traffic.round_trips - trips
        worker.drain()
    return commands / jobs, trips / jobs


@pytest.mark.parametrize(("jobs", "tenants", "most"), [(3000, 1, 2.0), (10_000, 10_000, 3.0)])
async def test_draining_costs_few_commands_and_fewer_round_trips(
    server: ValkeyServer, jobs: int, tenants: int, most: float
) -> None:
    """Commands inside scripts counted: at most 2 a job for one tenant, 3 for as many tenants as jobs."""
    async with Redis(server.url) as redis:
        commands, trips = await _drain(redis, jobs, tenants)

    print(f"{jobs} jobs of {tenants} tenants: {commands:.2f} commands, {trips:.3f} round trips a job")  # noqa: T201 - shown with -s
    assert commands <= most
    assert trips <= 0.2


async def test_submitting_one_job_costs_few_commands(server: ValkeyServer) -> None:
    """One round trip; one script of six commands."""
    async with Redis(server.url) as redis:
        client = Client(RedisStore(redis))
        await client.submit(noop, 0)  # the script is loaded, the queue is known
        began = trio.current_time()
        before, trips = await commands_of(redis), redis.traffic.round_trips
        for number in range(100):
            await client.submit(noop, number)
        trips = redis.traffic.round_trips - trips
        commands = await commands_of(redis) - before - 1  # the look at the counters is counted too
        seconds = trio.current_time() - began

    looks = trips - 100  # at memory and relays: four commands, once a second, whatever is submitted
    assert 0 <= looks <= seconds + 1
    assert (commands - 4 * looks) / 100 <= 6


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
