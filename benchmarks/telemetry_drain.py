"""Turns of one variant, in a process of its own: submit jobs one by one, drain them with one worker, export
all.

Makes a turn for each line that it reads, and prints a JSON object for it. Everything is on that a user would
have on: leases, fencing, timeouts, retries, events; the server syncs every write to disk.
"""

import sys
import time
from collections.abc import Callable

import msgspec
import trio

from benchmarks.drain import Countdown, bench, noop
from benchmarks.telemetry_variants import requested_by_somebody, watch
from penstock.engine import Client, Registry, Seams, Worker
from penstock.engine.redis_store import RedisStore
from penstock.engine.store import Store
from penstock.engine.transport import Address, Redis

AT_ONCE = 64  # submissions under way


class Cost(msgspec.Struct):
    """What one turn showed."""

    drained: float  # jobs a second, first claim to last acknowledged settlement
    exported: float  # the same until telemetry has handed everything over
    cpu: float  # µs a job of this process, all threads, until then


async def main(url: str, jobs: int, variant: str, endpoint: str) -> None:
    """Make turns until nobody asks for another."""
    async with Redis(Address.parse(url)) as redis:
        store = RedisStore(redis)
        seams, flush, close = watch(variant, endpoint)
        client = Client(store, requested_by_somebody(variant))
        while await trio.to_thread.run_sync(sys.stdin.readline, abandon_on_cancel=True):
            await _submit(client, jobs)
            cost = await _drain(store, seams(), jobs, flush)
            print(msgspec.json.encode(cost).decode(), flush=True)
        await close()


async def _drain(store: Store, seams: Seams, jobs: int, flush: Callable[[], object]) -> Cost:
    countdown = Countdown(jobs)
    seams.observers.add(countdown)
    worker = Worker(store, Registry([bench]), seams=seams)
    async with trio.open_nursery() as nursery:
        cpu, began = time.process_time(), time.perf_counter()
        nursery.start_soon(worker.run)
        with trio.fail_after(120):
            await countdown.done.wait()
        drained = time.perf_counter() - began
        await trio.to_thread.run_sync(flush)
        exported = time.perf_counter() - began
        cpu = time.process_time() - cpu
        worker.drain()
    return Cost(jobs / drained, jobs / exported, cpu / jobs * 1e6)


async def _submit(client: Client, jobs: int) -> None:
    numbers = iter(range(jobs))

    async def some() -> None:
        for number in numbers:
            await client.submit_request(noop.request(number))

    async with trio.open_nursery() as nursery:
        for _ in range(AT_ONCE):
            nursery.start_soon(some)


if __name__ == "__main__":
    trio.run(main, sys.argv[1], int(sys.argv[2]), sys.argv[3], sys.argv[4])
