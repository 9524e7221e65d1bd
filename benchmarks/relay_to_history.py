"""How fast a relay takes endings from Redis into a history: last in `python -m benchmarks job-history`.

The endings are those of no-op jobs that a worker has really run; all of them wait when the relay begins.
"""

import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import trio

from benchmarks.drain import drain, noop, submit_bulk
from benchmarks.servers import servers
from penstock.engine import Client, Seams
from penstock.engine.job_ending import JobEnding
from penstock.engine.job_history import HistorySettings, HistoryWriter, open_history, upgrade
from penstock.engine.redis_store import RedisStore
from penstock.engine.relay import Relay
from penstock.engine.transport import Redis

SINK, QUEUE = "history", "bench"
SYNCED = ("--appendonly", "yes", "--appendfsync", "always")
MOST = 100_000
"""Endings relayed: more say nothing else."""
_WITHIN = 600  # seconds


class _Counting:
    """The history as a sink, with an eye on how much it has taken."""

    name = SINK

    def __init__(self, writer: HistoryWriter, jobs: int) -> None:
        self._writer = writer
        self._left = jobs
        self.done = trio.Event()

    async def take(self, endings: Sequence[JobEnding]) -> None:
        await self._writer.take(endings)
        self._left -= len(endings)
        if self._left <= 0:
            self.done.set()


async def run(jobs: int, url: str | None) -> None:
    """Have so many jobs end, then relay what waits; prints one line."""
    with tempfile.TemporaryDirectory(prefix="penstock-relay-") as folder:
        settings = HistorySettings(url=url or f"sqlite:///{Path(folder) / 'history.db'}")
        upgrade(settings)
        with servers(Path(folder), SYNCED) as [server]:
            await server.start()
            async with Redis(server.url) as redis, open_history(settings) as history:
                store = RedisStore(redis)
                await store.outbox.enlist(QUEUE, SINK, 2 * jobs)
                async with Client(store) as client:
                    await submit_bulk(client, [noop.request(number) for number in range(jobs)])
                await drain(store, Seams(), jobs)
                sink = _Counting(history.writer, jobs)
                began, used = time.perf_counter(), time.process_time()
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(Relay(store, [QUEUE], [sink]).run)
                    with trio.fail_after(_WITHIN):
                        await sink.done.wait()
                    nursery.cancel_scope.cancel()
                seconds, cpu = time.perf_counter() - began, time.process_time() - used
    print(
        f"relayed   {jobs:,} endings from Redis to the history, {jobs / seconds:,.0f} a second; "
        f"CPU {cpu / jobs * 1e6:,.0f} µs each, the database's own included"
    )
