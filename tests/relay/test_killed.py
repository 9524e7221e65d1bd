"""Relay processes are killed with -9 at random under load, and the server once: every ending arrives."""

import json
import random
import threading
import time
from collections import Counter
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import pytest
import trio

from penstock.engine import Client, Registry, Request, Worker, WorkerSettings
from penstock.engine.errors import StoreUnavailable
from penstock.engine.redis_store import RedisStore
from penstock.engine.transport import Redis
from relay.application import again, doomed, fine, module
from support.processes import PENSTOCK, Process
from support.redis_server import DURABLE, ValkeyServer, valkey_server

QUEUES = ("one", "two")
RELAYS = 3
SILENCE = 2.0
ARRIVED_WITHIN = 90.0
"""Seconds that the rest may take to arrive once nobody is killed any more, on a machine that is swamped."""

Told = tuple[str, int, str]
"""Job, attempt and state: an ending."""
SECONDS = 60.0
"""How long relays are killed."""


class Relays:
    """So many relay processes at a time; one that is killed is replaced."""

    def __init__(self, url: str, ledger: Path) -> None:
        self._url = url
        self._ledger = ledger
        self._running: list[Process] = []
        self.killed = 0

    def start(self) -> None:
        command = [
            *(PENSTOCK, "relay", "relay.application:module"),
            *("--sink", "relay.application:ledger", "--redis", self._url, "--silence", str(SILENCE)),
        ]
        self._running.append(Process(command, env={"LEDGER": str(self._ledger)}, cwd=self._ledger.parent))

    def kill_one(self, rng: random.Random) -> None:
        """One of those that have started, if there is any."""
        started = [
            process
            for process in self._running
            if any("relay started" in line for line in (*process.out, *process.err))
        ]
        victim = rng.choice(started or self._running)
        self._running.remove(victim)
        victim.kill()
        self.killed += 1
        self.start()

    def drain(self) -> list[int]:
        """Their exit codes."""
        for process in self._running:
            process.wait_for_line("relay started")
        return [process.terminate() for process in self._running]

    def kill_all(self) -> None:
        for process in self._running:
            process.kill()


@contextmanager
def relays_of(url: str, ledger: Path) -> Generator[Relays]:
    relays = Relays(url, ledger)
    try:
        for _ in range(RELAYS):
            relays.start()
        yield relays
    finally:
        relays.kill_all()


def told_in(ledger: Path) -> Counter[Told]:
    """How often each ending was told; lines that a kill has cut short are no endings."""
    told: Counter[Told] = Counter()
    for line in ledger.read_text().splitlines() if ledger.exists() else ():
        try:
            job, attempt, state, _, _ = json.loads(line)
        except ValueError:
            continue
        told[job, attempt, state] += 1
    return told


def expected(request: Request, job: str) -> set[Told]:
    """The endings of one job."""
    if request.job == again.name:
        return {(job, 1, "scheduled"), (job, 2, "scheduled"), (job, 3, "succeeded")}
    return {(job, 1, "succeeded" if request.job == fine.name else "dead")}


async def submit(client: Client, seconds: float) -> set[Told]:
    """Submit for so long, a few at a time; the endings that are to come."""
    endings, number = set[Told](), 0
    until = trio.current_time() + seconds
    while trio.current_time() < until:
        for job in (fine, again, doomed):
            requests = [job.request(number + each) for each in range(10)]
            while True:
                try:
                    receipts = await client.submit_many(requests)
                except StoreUnavailable:  # it is being killed and started; what was stored is only more work
                    continue
                break
            for request, receipt in zip(requests, receipts, strict=True):
                endings |= expected(request, receipt.id)
        number += 10
        await trio.sleep(0.02)  # load, not a flood
    return endings


async def registered(store: RedisStore) -> None:
    """Until every queue knows the sink: from then on every ending is kept."""
    with trio.fail_after(ARRIVED_WITHIN):
        for queue in QUEUES:
            while not (await store.outbox.backlog(queue)).sinks:  # noqa: ASYNC110 - nobody tells
                await trio.sleep(0.05)


async def emptied(store: RedisStore) -> None:
    """Until nothing waits to be done, and nothing to be told."""
    with trio.fail_after(ARRIVED_WITHIN):
        for queue in QUEUES:
            while True:
                facts, backlog = await store.facts(queue), await store.outbox.backlog(queue)
                if facts.ready + facts.scheduled + facts.running + backlog.sinks[0].behind == 0:
                    break
                await trio.sleep(0.05)


def misfortune(server: ValkeyServer, relays: Relays, seconds: float, rng: random.Random) -> None:
    """Kill and start relays at random moments, and the server in the middle; in a thread, as it blocks."""
    until, restarted = time.monotonic() + seconds, False
    while (left := until - time.monotonic()) > 0:
        threading.Event().wait(rng.uniform(0.1, 1.0))
        relays.kill_one(rng)
        if not restarted and left < seconds / 2:
            server.restart()
            restarted = True


@pytest.mark.slow
async def test_every_ending_arrives_whoever_is_killed(tmp_path: Path) -> None:
    """Ends of attempts and of jobs, at least once each; told twice are only those that a death explains."""
    ledger, rng = tmp_path / "ledger", random.Random(5)
    with valkey_server(*DURABLE) as server, relays_of(server.url, ledger) as relays:
        async with Redis(server.url) as redis, Client(RedisStore(redis)) as client:
            store = RedisStore(redis)
            await registered(store)
            worker = Worker(store, Registry([module]), settings=WorkerSettings(concurrency=16))
            async with trio.open_nursery() as nursery:
                nursery.start_soon(worker.run)
                nursery.start_soon(trio.to_thread.run_sync, misfortune, server, relays, SECONDS, rng)
                endings = await submit(client, SECONDS)
                await emptied(store)
                worker.drain()
        codes = relays.drain()
    told = told_in(ledger)
    twice = sum(count - 1 for count in told.values())
    print(f"{len(endings)} endings, {relays.killed} relays killed, {twice} told again")  # noqa: T201 - shown with -s

    assert endings - told.keys() == set()
    assert relays.killed >= SECONDS / 3
    assert codes == [0] * RELAYS
