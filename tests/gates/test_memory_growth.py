"""A worker that has run many jobs holds as much memory as one that has run a few."""

import gc
import io
import sys

import trio
from trio.testing import MockClock

from benchmarks.drain import Countdown, bench, noop
from benchmarks.telemetry_variants import ALL, requested_by_somebody
from gates.discard import Discard
from penstock.engine import Client, Registry, Worker
from penstock.engine.memory_store import MemoryStore
from penstock.telemetry import Telemetry
from penstock.telemetry.export.start import Export
from penstock.telemetry.logs.setup import configure_logs
from penstock.telemetry.metrics.families import Metrics
from penstock.telemetry.traces.provider import Provider
from support.work import virtual_clock

TURN = 1500
TURNS = 4
SLACK = 0.5
"""Blocks of memory that a job may leave behind on average: less than any leak. Not 0, because Trio forgets
the deadlines of scopes that have ended a thousand at a time."""


async def test_a_workers_memory_does_not_grow_with_the_jobs_it_has_run(autojump_clock: MockClock) -> None:
    """Everything is on: spans are encoded, lines written, metrics counted; each turn has its own store."""
    provider = Provider()
    provider.add_outlet(Discard())
    telemetry = Telemetry(configure_logs(format="json", stream=_Nowhere()), Metrics(), Export(provider))
    await _turn(telemetry)  # first uses of things, and buffers that reach their bounds
    await _turn(telemetry)
    before = _blocks()
    for _ in range(TURNS):
        await _turn(telemetry)
    grown = _blocks() - before
    await telemetry.aclose()

    print(f"{grown} blocks after {TURN * TURNS} jobs")  # noqa: T201 - shown with -s
    assert grown <= SLACK * TURN * TURNS


async def _turn(telemetry: Telemetry) -> None:
    store, countdown = MemoryStore(virtual_clock), Countdown(TURN)
    client = Client(store, requested_by_somebody(ALL))
    await client.submit_many([noop.request(number) for number in range(TURN)])
    seams = telemetry.seams()
    seams.observers.add(countdown)
    worker = Worker(store, Registry([bench]), seams=seams)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(worker.run)
        await countdown.done.wait()
        worker.drain()


def _blocks() -> int:
    gc.collect()
    return sys.getallocatedblocks()


class _Nowhere(io.StringIO):
    """Takes lines and keeps none."""

    def write(self, text: str, /) -> int:
        return len(text)
