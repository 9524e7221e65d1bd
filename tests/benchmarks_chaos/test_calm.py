"""Asking the server when all is over: what has ended, what is missing, what nobody removed."""

from collections.abc import Iterator

import pytest
import trio

from benchmarks.chaos.calm import Final, drained, left_over
from benchmarks.chaos.jobs import QUEUES, chaos, doomed, noop
from benchmarks.history import Record, Recorder, records
from penstock.engine import Client, Registry, Worker
from penstock.engine.job import JobState
from penstock.engine.names import split_job_id
from penstock.engine.redis_store import RedisStore
from penstock.engine.transport import Redis
from support.redis_server import ValkeyServer, valkey_server


@pytest.fixture
def server() -> Iterator[ValkeyServer]:
    """A server of this test's own."""
    with valkey_server() as running:
        yield running


async def run_until(client: Client, *ids: str) -> None:
    """A worker that works until these jobs have ended, and leaves."""
    worker = Worker(client.store, Registry([chaos]))
    with trio.fail_after(30):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(worker.run)
            for job_id in ids:
                await client.wait(job_id)
            worker.drain()


async def test_every_job_is_read_judged_and_written_into_the_history(server: ValkeyServer) -> None:
    """What has ended, what waits, what is not stored, and what ended as it may not."""
    written: list[Record] = []
    async with Redis(server.url) as redis, Client(RedisStore(redis)) as client:
        good, bad = [receipt.id for receipt in await client.submit_many([noop.request(), doomed.request()])]
        await run_until(client, good, bad)
        waiting = (await client.submit(noop)).id
        cancelled = (await client.submit(noop)).id
        await client.cancel(cancelled)
        final = Final()
        ids = [split_job_id(job_id) for job_id in (good, bad, waiting, cancelled)]
        recorder = Recorder("harness", written.append)
        await final.read(server.url, [*ids, ("swift", "0" * 28)], set(), recorder)

    assert final.ended == 3
    assert final.unended == [waiting]
    assert final.missing == [f"swift.{'0' * 28}"]
    assert final.wrong == [f"{cancelled} (chaos.noop) cancelled, though nobody asked"]
    states = [record.state for record in written if isinstance(record, records.Final)]
    assert states == [JobState.SUCCEEDED, JobState.DEAD, JobState.READY, JobState.CANCELLED, None]


async def test_keys_that_nothing_needs_any_more_are_told(server: ValkeyServer) -> None:
    """None after all jobs have ended and all workers have left; a line that has jobs otherwise."""
    async with Redis(server.url) as redis, Client(RedisStore(redis)) as client:
        await run_until(client, (await client.submit(noop)).id)
        assert await left_over(server.url) == []
        await client.submit(noop)
        assert await left_over(server.url) == ["penstock:{swift}:lanes", "penstock:{swift}:ready:0:-"]


async def test_drained_means_no_jobs_and_no_leases_of_the_dead(
    server: ValkeyServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A job that waits, or a lease that nobody took, and it is not drained when its time is up."""

    async def is_drained(within: float) -> bool:
        monkeypatch.setattr("benchmarks.chaos.calm.DRAIN_WITHIN", within)
        return await drained(server.url, 1)

    async with Redis(server.url) as redis:
        store = RedisStore(redis)
        for queue in QUEUES:
            await store.join(queue, "living", 60_000)
        assert await is_drained(30)
        await store.join("swift", "dead", 1)
        assert not await is_drained(0.3)
        await store.leave("swift", "dead")
        assert await is_drained(30)
        await Client(store).submit(noop)
        assert not await is_drained(0.3)
