"""Histories of real workers: recorded into files, read back, checked, with faults and without."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
import trio
from trio.testing import MockClock

from benchmarks.history import RecordingStore, Violation, check, read, recording
from history.lua_plants import by_name
from penstock.engine import Backoff, Client, JobContext, Module, Observers, Registry, Seams, Worker
from penstock.engine.memory_store import MemoryStore
from penstock.engine.names import split_job_id
from penstock.engine.redis_store import RedisStore
from penstock.engine.store import Store
from penstock.engine.transport import Redis
from support.redis_server import ValkeyServer, valkey_server
from support.work import virtual_clock

JOBS = 120
module = Module("history")


@module.job(queue="history", retries=2, backoff=Backoff(base=0.01))
async def work(ctx: JobContext, number: int) -> int:
    """Every seventh fails at first, every eleventh takes a while."""
    await trio.sleep(0.03 if number % 11 == 0 else 0.001)
    if number % 7 == 0 and ctx.attempt == 1:
        raise ValueError("first attempts fail")
    return number


@pytest.fixture(scope="module")
def server() -> Iterator[ValkeyServer]:
    """A server for these tests."""
    with valkey_server() as running:
        yield running


async def _submit(store: Store, to: list[str]) -> None:
    """One call a job, so that there is an order to keep; two are cancelled on the way."""
    client = Client(store)
    for number in range(JOBS):
        receipt = await client.submit(work, number)
        to.append(receipt.id)
        if number % 50 == 49:
            await client.cancel(receipt.id)


async def run(store: Store, folder: Path, *, patience: float = 60) -> list[Violation]:
    """Two submitters and two workers, one of which drains half way; each with a file of its own.

    After `patience` seconds it is over, whatever is still missing.
    """
    ids: list[str] = []
    with (
        recording("submitter", folder / "submitter.jsonl") as submitter,
        recording("first", folder / "first.jsonl") as first,
        recording("second", folder / "second.jsonl") as second,
    ):
        workers = [
            Worker(RecordingStore(store, own), Registry([module]), seams=Seams(Observers(own.observe)))
            for own in (first, second)
        ]
        async with Client(store) as client, trio.open_nursery() as nursery:
            await nursery.start(workers[0].run)
            async with trio.open_nursery() as submitting:
                for _ in range(2):
                    submitting.start_soon(_submit, RecordingStore(store, submitter), ids)
                await nursery.start(workers[1].run)
            workers[0].drain()
            with trio.move_on_after(patience):
                for job_id in ids:
                    await client.wait(job_id)
            workers[1].drain()
        for job_id in ids:
            await submitter.final(store, *_split(job_id))
    return check(read([folder / f"{name}.jsonl" for name in ("submitter", "first", "second")]))


def _split(job_id: str) -> tuple[str, list[str]]:
    queue, suffix = split_job_id(job_id)
    return queue, [suffix]


async def test_workers_on_the_store_in_memory_keep_every_rule(
    autojump_clock: MockClock, tmp_path: Path
) -> None:
    """Retries, cancellations and a drain on the way; on virtual time."""
    assert await run(MemoryStore(virtual_clock), tmp_path) == []


async def test_workers_on_valkey_keep_every_rule(server: ValkeyServer, tmp_path: Path) -> None:
    """The same on a real server."""
    async with Redis(server.url) as redis:
        await redis.execute("FLUSHALL")
        assert await run(RedisStore(redis), tmp_path) == []


SHOWN = [
    "lanes are taken from behind",
    "a retry is not counted",
    "what is due is put into its line twice",
    "a claim forgets the last of several jobs",
]


@pytest.mark.parametrize("name", SHOWN)
async def test_a_fault_shows_in_what_real_workers_do(server: ValkeyServer, tmp_path: Path, name: str) -> None:
    """Nobody arranges the steps here: the workers meet the fault by themselves."""
    async with Redis(server.url) as redis:
        await redis.execute("FLUSHALL")
        store = RedisStore(redis)
        plant = by_name(name)
        plant.into(store)
        violations = await run(store, tmp_path, patience=0.5)
    assert plant.breaks in {violation.rule for violation in violations}, violations


async def test_a_line_that_was_cut_short_is_passed_over(tmp_path: Path) -> None:
    """A process may be killed, or its disk be full, in the middle of a line: the rest stands."""
    with recording("killed", path := tmp_path / "killed.jsonl") as recorder:
        write = partial(recorder.crashed, "somebody")
        write()
        write()
    path.write_bytes(path.read_bytes()[:-5])
    assert len(list(read([path]))) == 1
