"""One run of the hot path, in a process of its own: submit no-op jobs, then drain them with one worker.

Prints one JSON object. Everything is on that a user would have on: leases, fencing, timeouts, retries,
events; the server syncs every write to disk.
"""

import json
import sys
import time

import msgspec
import trio

from penstock.engine import Client, JobContext, Module, Observers, Registry, Seams, Worker
from penstock.engine.events import Event, Settled
from penstock.engine.redis_store import RedisStore
from penstock.engine.transport import Address, Redis
from penstock.telemetry import Telemetry, TelemetrySettings

bench = Module("bench")
SLICE = 500  # requests in one submission


@bench.job(queue="bench")
async def noop(ctx: JobContext, number: int) -> int:
    """Do nothing: what is measured is the engine."""
    return number


class Drained(msgspec.Struct):
    """What one run showed."""

    jobs: int
    submitted: float  # jobs a second
    drained: float  # jobs a second, first claim to last acknowledged settlement
    exported: float  # the same until telemetry has handed over everything; equal without telemetry
    commands: float  # Redis commands a job while draining, those inside scripts included
    round_trips: float  # a job


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
    stats = await redis.execute("INFO", "stats")
    assert isinstance(stats, bytes)
    return int(stats.split(b"total_commands_processed:")[1].split(b"\r\n")[0])


async def measure(redis: Redis, seams: Seams, jobs: int) -> Drained:
    """Submit and drain; `exported` is filled in by the caller."""
    store = RedisStore(redis)
    countdown = Countdown(jobs)
    seams.observers.add(countdown)
    client = Client(store, seams)
    requests = [noop.request(number) for number in range(jobs)]
    began = time.perf_counter()
    for start in range(0, jobs, SLICE):
        await client.submit_many(requests[start : start + SLICE])
    submitted = jobs / (time.perf_counter() - began)

    worker = Worker(store, Registry([bench]), seams=seams)
    before, trips = await commands_of(redis), redis.traffic.round_trips
    async with trio.open_nursery() as nursery:
        began = time.perf_counter()
        nursery.start_soon(worker.run)
        with trio.fail_after(120):
            await countdown.done.wait()
        seconds = time.perf_counter() - began
        after = await commands_of(redis)
        worker.drain()
    trips = redis.traffic.round_trips - trips
    return Drained(jobs, submitted, jobs / seconds, 0.0, (after - before) / jobs, trips / jobs)


async def main(url: str, jobs: int, endpoint: str | None) -> None:
    """Run once; `endpoint` is where spans go, None for telemetry off."""
    async with Redis(Address.parse(url)) as redis:
        if endpoint is None:
            result = await measure(redis, Seams(Observers()), jobs)
            result.exported = result.drained
        else:
            telemetry = Telemetry.start(TelemetrySettings(log_format="json", otlp_endpoint=endpoint))
            result = await measure(redis, telemetry.seams(), jobs)
            began = time.perf_counter()
            await telemetry.aclose()
            result.exported = jobs / (jobs / result.drained + time.perf_counter() - began)
    print(json.dumps(msgspec.to_builtins(result)))


if __name__ == "__main__":
    trio.run(main, sys.argv[1], int(sys.argv[2]), sys.argv[3] if len(sys.argv) > 3 else None)
