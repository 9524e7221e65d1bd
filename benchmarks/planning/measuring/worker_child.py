"""One worker that is measured, in a process of its own: `python -m … URL [OTLP ENDPOINT]`.

For each line that it reads, an `Order`, it works for so long and prints a `Turn`. The backlog has to last.
"""

import os
import sys
import time

import msgspec
import trio

from benchmarks.planning.measuring.instruments import share, waited
from benchmarks.planning.measuring.work import planned
from penstock.engine import Registry, Seams, Worker
from penstock.engine.events import Event, Settled
from penstock.engine.redis_store import RedisStore
from penstock.engine.transport import Redis
from penstock.engine.worker_settings import WorkerSettings
from penstock.telemetry import Telemetry, TelemetrySettings

WARM_UP = 0.7
"""Seconds before counting begins: leases, first claims, caches."""


FIRST_WITHIN = 10.0
"""Seconds that the first job may take on a machine that is swamped."""


class Order(msgspec.Struct, frozen=True):
    """What a turn is to be."""

    seconds: float
    concurrency: int = 64


class Turn(msgspec.Struct, frozen=True):
    """What was seen between warming up and draining."""

    jobs: int
    seconds: float
    cpu: float  # µs of this process, all threads
    round_trips: int
    share: float
    """Of a core, of the time in which it wanted one."""


class Counter:
    """Counts settled jobs."""

    def __init__(self) -> None:
        self.jobs = 0
        self.begun = trio.Event()

    def __call__(self, event: Event) -> None:
        if isinstance(event, Settled):
            self.jobs += event.count - event.refused
            self.begun.set()


async def take_turn(redis: Redis, seams: Seams, order: Order) -> Turn:
    """Work, count, and drain."""
    counter, settings = Counter(), WorkerSettings(concurrency=order.concurrency)
    seams.observers.add(counter)
    worker = Worker(RedisStore(redis), Registry([planned]), settings=settings, seams=seams)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(worker.run)
        with trio.move_on_after(FIRST_WITHIN):  # or there is nothing to do
            await counter.begun.wait()
        await trio.sleep(WARM_UP)
        jobs, trips = counter.jobs, redis.traffic.round_trips
        cpu, began, before = time.process_time(), time.perf_counter(), waited(os.getpid())
        await trio.sleep(order.seconds)
        turn = Turn(
            jobs=counter.jobs - jobs,
            seconds=time.perf_counter() - began,
            cpu=1e6 * (time.process_time() - cpu),
            round_trips=redis.traffic.round_trips - trips,
            share=share(before, waited(os.getpid())),
        )
        worker.drain()
    return turn


async def main(url: str, endpoint: str | None) -> None:
    """Make turns until nobody asks for another."""
    telemetry = None
    if endpoint is not None:
        telemetry = Telemetry.start(TelemetrySettings(log_format="json", otlp_endpoint=endpoint))
    async with Redis(url) as redis:
        while line := await trio.to_thread.run_sync(sys.stdin.readline, abandon_on_cancel=True):
            seams = telemetry.seams() if telemetry is not None else Seams()
            turn = await take_turn(redis, seams, msgspec.json.decode(line, type=Order))
            print(msgspec.json.encode(turn).decode(), flush=True)
    if telemetry is not None:
        await telemetry.aclose()


if __name__ == "__main__":
    trio.run(main, sys.argv[1], sys.argv[2] if len(sys.argv) > 2 else None)
