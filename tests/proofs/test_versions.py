"""Old and new side by side, under load: code, records and scripts."""

from collections import Counter
from collections.abc import Iterator

import pytest
import trio

from e2e.system import logged, runs_as
from penstock.engine import Client, JobState, Observers, Receipt, Registry, Request, Seams, Worker, scripts
from penstock.engine.events import JobFinished
from penstock.engine.names import split_job_id
from penstock.engine.redis_store import RedisStore
from penstock.engine.transport import Redis, Script
from proofs import versions
from proofs.cases import endings_of
from support.processes import Process, Start
from support.redis_server import ValkeyServer
from support.work import Ears

JOBS = 100  # of each kind
ALL = ("added", "common", "again")
NEWER_RECORD = f"'{versions.NEWER} ' .. state"


def newer_store(redis: Redis) -> RedisStore:
    """A store that writes newer records."""
    store = RedisStore(redis)
    for name in ("submit", "submit_one"):
        newer = store._scripts[name].source.replace("'1 ' .. state", NEWER_RECORD)
        assert newer.count(NEWER_RECORD) == 1
        store._scripts[name] = Script(name, newer)
    return store


def requests(*names: str, count: int = JOBS) -> Iterator[Request]:
    """Jobs of these names in turn."""
    for number in range(count):
        yield versions.newer.jobs[f"app.{names[number % len(names)]}"].request()


async def submit(client: Client, wanted: Iterator[Request], receipts: list[Receipt]) -> None:
    """One after the other, so that submitting goes on while workers are at work."""
    for request in wanted:
        receipts += await client.submit_many([request])


def parked_by(worker: Process) -> set[tuple[str, str]]:
    """Names of jobs that a worker has parked, and why."""
    lines = logged(worker, "job parked, this worker does not know it")
    return {(line["job"], line["reason"]) for line in lines}


def start_worker(start: Start, url: str, application: str) -> Process:
    options = ("--queues", versions.QUEUE, "--concurrency", "8")
    worker = start("worker", f"proofs.{application}:application", "--redis", url, *options)
    worker.wait_for_line("worker started")
    return worker


async def test_nothing_dies_of_two_versions_side_by_side(start: Start, valkey: ValkeyServer) -> None:
    """Every job succeeds; what the older one does not know waits for the newer one at no attempt's cost.

    A newer application submits to the same Penstock, and a newer Penstock writes newer records: first
    while there is only the older worker, so that it meets each of them, then to both under load. What is
    known to both comes once more when there is only the newer one.
    """
    older = start_worker(start, valkey.url, "older")
    known, unknown, unreadable = list[Receipt](), list[Receipt](), list[Receipt]()
    async with Redis(valkey.url) as redis, Client(RedisStore(redis)) as client:
        newer_client = Client(newer_store(redis))
        with trio.fail_after(60):
            await submit(client, requests("common", "again", count=2), known)
            await submit(client, requests("added", count=1), unknown)
            await submit(newer_client, requests("common", count=1), unreadable)
            alone = [await client.wait(receipt.id) for receipt in known]
            await trio.to_thread.run_sync(lambda: older.wait_for_line("unknown_job"))
            await trio.to_thread.run_sync(lambda: older.wait_for_line("newer_record"))
            newer = start_worker(start, valkey.url, "newer")
            async with trio.open_nursery() as nursery:
                nursery.start_soon(submit, client, requests("common", "again"), known)
                nursery.start_soon(submit, client, requests("added"), unknown)
                nursery.start_soon(submit, newer_client, requests(*ALL), unreadable)
            together = [await client.wait(receipt.id) for receipt in (*known, *unknown, *unreadable)]
            assert older.terminate() == 0
            after = list[Receipt]()
            await submit(client, requests("common", "again", count=2), after)
            jobs = [*together, *[await client.wait(receipt.id) for receipt in after]]
        ended = await endings_of(redis, versions.QUEUE)

    assert newer.terminate() == 0
    assert {(job.state, job.crashes) for job in jobs} == {(JobState.SUCCEEDED, 0)}
    assert {(job.job, job.attempt) for job in jobs} == {("app.added", 1), ("app.common", 1), ("app.again", 2)}
    assert ended == Counter(split_job_id(job.id)[1] for job in jobs)
    assert all(runs_as(older, job.result) for job in alone)
    assert all(runs_as(newer, job.result) for job in jobs[len(known) :])
    assert parked_by(older) == {("app.added", "unknown_job"), ("", "newer_record")}
    assert parked_by(newer) == set()


async def test_scripts_of_two_versions_side_by_side(
    own_server: ValkeyServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Addressed by content, either set is sent again where the server has lost it, at any moment."""
    ears = Ears()
    async with Redis(own_server.url) as redis, Redis(own_server.url) as other:
        older = RedisStore(redis)
        monkeypatch.setattr(scripts, "SERVER_CLOCK", scripts.SERVER_CLOCK + "-- newer\n")
        newer = RedisStore(other)
        assert {one.sha1 for one in older._scripts.values()}.isdisjoint(
            one.sha1 for one in newer._scripts.values()
        )
        workers = [
            Worker(store, Registry([versions.newer]), seams=Seams(Observers(ears)))
            for store in (older, newer)
        ]
        with trio.fail_after(60):
            async with Client(older) as client, trio.open_nursery() as nursery:
                for worker in workers:
                    await nursery.start(worker.run)
                receipts = list[Receipt]()
                nursery.start_soon(submit, client, requests("common"), receipts)
                nursery.start_soon(submit, Client(newer), requests("added"), receipts)
                for finished in range(0, 2 * JOBS, JOBS // 10):
                    await redis.execute("SCRIPT", "FLUSH")
                    await ears.wait_for(JobFinished, count=finished + JOBS // 10)
                states = [(await client.wait(receipt.id)).state for receipt in receipts]
                for worker in workers:
                    worker.drain()
        ended = await endings_of(redis, versions.QUEUE)
        commands = await redis.execute("INFO", "commandstats")

    assert isinstance(commands, bytes)
    assert b"cmdstat_eval:" in commands  # the server had lost scripts, which were sent again
    assert states == [JobState.SUCCEEDED] * 2 * JOBS
    assert set(ended.values()) == {1}
    assert len(ears.of(JobFinished)) == len(ended) == 2 * JOBS
    assert {event.attempt.worker for event in ears.of(JobFinished)} == {f"{one.name}-1" for one in workers}
