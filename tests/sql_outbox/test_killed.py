"""Relay processes are killed with -9 at random under load: what was committed runs once, and nothing else."""

import random
import threading
from collections import Counter
from collections.abc import Callable
from functools import partial

import pytest
import trio
from sqlalchemy import Engine

from penstock.engine import Registry, Worker, WorkerSettings
from penstock.engine.redis_store import RedisStore
from penstock.engine.sql_outbox import OutboxSettings, SqlOutbox
from penstock.engine.transport import Redis
from sql_outbox.rig import SHIPPED, ship, shop
from support.processes import Process, Start
from support.redis_server import ValkeyServer

RELAYS = 2
WITHIN = 90.0
"""Seconds that the rest may take once nobody is killed any more, on a machine that is swamped."""
KILLS = 40
"""Relays that are killed."""


class Relays:
    """So many relay processes at a time; one that is killed is replaced."""

    def __init__(self, start: Start, settings: OutboxSettings, redis: str) -> None:
        options = ("--outbox-url", settings.url, "--redis", redis, "--silence", "1.5")
        self._start: Callable[[], Process] = partial(start, "relay", "sql_outbox.rig:shop", *options)
        self.running: list[Process] = [self._start() for _ in range(RELAYS)]

    def torment(self, kills: int, rng: random.Random) -> None:
        """Kill so often, each time one that works, and start another; blocks, so it is for a thread."""
        for _ in range(kills):
            victim = rng.choice(self.running)
            victim.wait_for_line("relay started")
            threading.Event().wait(rng.uniform(0.1, 0.8))
            self.running.remove(victim)
            victim.kill()
            self.running.append(self._start())

    def end(self) -> list[int]:
        for process in self.running:
            process.wait_for_line("relay started")
        return [process.terminate() for process in self.running]


def submit(database: Engine, stop: threading.Event, rng: random.Random) -> tuple[set[str], set[str]]:
    """Transactions of a few jobs, every third of them rolled back; the ids of both kinds. Blocks."""
    committed, undone, order = set[str](), set[str](), 0
    outbox = SqlOutbox()
    while not stop.wait(0.01):
        with database.connect() as connection:
            ids = set[str]()
            for _ in range(rng.randint(1, 20)):
                order += 1
                ids.add(outbox.submit(connection, ship, order).id)
            if rng.random() < 1 / 3:
                connection.rollback()
                undone |= ids
            else:
                connection.commit()
                committed |= ids
    return committed, undone


@pytest.mark.slow
async def test_every_committed_job_runs_once_whoever_is_killed(
    start: Start, valkey: ValkeyServer, settings: OutboxSettings, database: Engine
) -> None:
    """And no job of a transaction that was rolled back."""
    rng, stop = random.Random(7), threading.Event()
    relays = Relays(start, settings, valkey.url)
    results: list[tuple[set[str], set[str]]] = []

    async def load() -> None:
        results.append(await trio.to_thread.run_sync(submit, database, stop, random.Random(11)))

    async with Redis(valkey.url) as redis, trio.open_nursery() as nursery:
        worker = Worker(RedisStore(redis), Registry([shop]), settings=WorkerSettings(concurrency=16))
        await nursery.start(worker.run)
        async with trio.open_nursery() as working:
            working.start_soon(load)
            try:
                await trio.to_thread.run_sync(relays.torment, KILLS, rng)
            finally:
                stop.set()  # or the thread that submits would go on for ever
        [(committed, undone)] = results
        with trio.fail_after(WITHIN):
            while not committed <= set(SHIPPED):  # noqa: ASYNC110 - nobody tells
                await trio.sleep(0.05)
        codes = await trio.to_thread.run_sync(relays.end)
        worker.drain()
    ran = Counter(job for job in SHIPPED if job in committed or job in undone)
    print(f"{len(committed)} committed, {len(undone)} rolled back, {KILLS} relays killed")  # noqa: T201 - shown with -s

    assert ran == Counter(dict.fromkeys(committed, 1))
    assert undone
    assert codes == [0] * RELAYS
