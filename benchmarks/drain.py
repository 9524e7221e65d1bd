"""The no-op job, how jobs get in and how one worker drains them: what most benchmarks are made of.

Everything is on that a user would have on: leases, fencing, timeouts, retries, events.
"""

import time
from collections.abc import Callable, Sequence

import msgspec
import trio

from penstock.engine import Client, JobContext, Module, Registry, Seams, Worker, WorkerSettings
from penstock.engine.events import Event, Settled
from penstock.engine.redis_store import RedisStore
from penstock.engine.request import Request
from penstock.engine.transport import Redis

bench = Module("bench")
SLICE = 500  # requests in one submission
AT_ONCE = 64  # submissions under way
WITHIN = 240.0  # seconds that draining may take


@bench.job(queue="bench")
async def noop(ctx: JobContext, number: int) -> int:
    """Do nothing: what is measured is the engine."""
    return number


class Drained(msgspec.Struct):
    """What one worker showed; a second is one of the wall clock, CPU is that of this process."""

    seconds: float  # first claim to last acknowledged settlement
    exported: float  # the same until telemetry has handed over everything; equal without telemetry
    cpu: float  # until then, all threads
    commands: int  # Redis commands, those inside scripts included
    round_trips: int
    sent: int  # bytes
    server_cpu: float


class Countdown:
    """Set `done` when so many jobs are settled."""

    def __init__(self, jobs: int) -> None:
        self._left = jobs
        self.done = trio.Event()

    def __call__(self, event: Event) -> None:
        if isinstance(event, Settled):
            self._left -= event.count - event.refused
            if self._left <= 0:
                self.done.set()


async def commands_of(redis: Redis) -> int:
    """Commands that the server has processed, inner ones included."""
    return int(await info_of(redis, "stats", "total_commands_processed"))


async def server_cpu(redis: Redis) -> float:
    """Seconds of CPU that the server has used."""
    return await info_of(redis, "cpu", "used_cpu_user") + await info_of(redis, "cpu", "used_cpu_sys")


async def info_of(redis: Redis, section: str, name: str) -> float:
    """One number that the server tells about itself."""
    answer = await redis.execute("INFO", section)
    assert isinstance(answer, bytes)
    return float(answer.split(b"\r\n" + name.encode() + b":")[1].split(b"\r\n")[0])


def nothing_to_flush() -> bool:
    """Telemetry is off: everything is exported."""
    return True


async def drain(
    store: RedisStore,
    seams: Seams,
    jobs: int,
    *,
    flush: Callable[[], object] = nothing_to_flush,
    registry: Registry | None = None,
    queues: Sequence[str] | None = None,
    settings: WorkerSettings | None = None,
) -> Drained:
    """Settle `jobs` jobs with a worker of its own; `flush` blocks until telemetry has exported everything."""
    countdown, redis = Countdown(jobs), store.redis
    assert isinstance(redis, Redis)
    seams.observers.add(countdown)
    worker = Worker(store, registry or Registry([bench]), queues, settings, seams)
    served, commands = await server_cpu(redis), await commands_of(redis)
    trips, sent = redis.traffic.round_trips, redis.traffic.bytes_sent
    async with trio.open_nursery() as nursery:
        cpu, began = time.process_time(), time.perf_counter()
        nursery.start_soon(worker.run)
        with trio.fail_after(WITHIN):
            await countdown.done.wait()
        seconds = time.perf_counter() - began
        trips, sent = redis.traffic.round_trips - trips, redis.traffic.bytes_sent - sent
        commands = await commands_of(redis) - commands
        served = await server_cpu(redis) - served
        await trio.to_thread.run_sync(flush)
        exported = time.perf_counter() - began
        cpu = time.process_time() - cpu
        worker.drain()
    return Drained(seconds, exported, cpu, commands, trips, sent, served)


async def measure(redis: Redis, seams: Seams, jobs: int) -> Drained:
    """Submit no-op jobs in bulk, then drain them."""
    store = RedisStore(redis)
    await submit_bulk(Client(store, seams), [noop.request(number) for number in range(jobs)])
    return await drain(store, seams, jobs)


async def submit_bulk(client: Client, requests: Sequence[Request]) -> float:
    """Submit in slices, one after another; the seconds it took."""
    began = time.perf_counter()
    for start in range(0, len(requests), SLICE):
        await client.submit_many(requests[start : start + SLICE])
    return time.perf_counter() - began


async def submit_singly(client: Client, jobs: int) -> None:
    """Submit one by one, 64 at once, so that each job has a submission of its own."""
    numbers = iter(range(jobs))

    async def some() -> None:
        for number in numbers:
            await client.submit_request(noop.request(number))

    async with trio.open_nursery() as nursery:
        for _ in range(AT_ONCE):
            nursery.start_soon(some)
