"""`durable` and `wait_replicas`: acknowledged means on disk, or on so many other servers."""

from collections.abc import AsyncGenerator, Iterator, Sequence
from contextlib import asynccontextmanager

import pytest
import trio
import trio.testing

from penstock.engine import Client, JobContext, Module, durable
from penstock.engine.errors import NotDurable, StoreRefused
from penstock.engine.job import JobState
from penstock.engine.redis_store import RedisStore
from penstock.engine.store import NewJob, Submitted, Terms
from penstock.engine.transport import Redis
from support.redis_server import ValkeyServer, valkey_server
from support.stores import new_job

QUEUE = "q"
DISK = Terms(disk=True)
KNOWN = Submitted("a", True, JobState.READY)
EVERY_SECOND = ("--appendonly", "yes", "--appendfsync", "everysec")
NEVER = ("--appendonly", "yes", "--appendfsync", "no")


@pytest.fixture
def everysec() -> Iterator[ValkeyServer]:
    """A server that syncs its file once a second."""
    with valkey_server(*EVERY_SECOND) as server:
        yield server


@asynccontextmanager
async def store_on(server: ValkeyServer) -> AsyncGenerator[RedisStore]:
    async with Redis(server.url) as redis:
        yield RedisStore(redis)


async def calls(store: RedisStore, command: str) -> int:
    """How often the server has run a command."""
    stats = await store.redis.execute("INFO", "commandstats")
    assert isinstance(stats, bytes)
    _, _, rest = stats.partition(f"cmdstat_{command}:calls=".encode())
    return int(rest.split(b",")[0]) if rest else 0


async def test_a_durable_submission_is_on_disk_when_it_is_acknowledged(everysec: ValkeyServer) -> None:
    """The server had synced its file after the job was written: nothing of it is pending."""
    async with store_on(everysec) as store:
        before = await calls(store, "waitaof")
        assert [one.created for one in await store.submit(QUEUE, [new_job("a")], DISK)] == [True]
        assert await calls(store, "waitaof") > before
        everysec.restart()
        assert await store.read(QUEUE, "a") is not None


async def test_a_disk_that_does_not_sync_is_not_waited_for_in_vain(monkeypatch: pytest.MonkeyPatch) -> None:
    """Stored, and said so: sent again, the same job is waited for once more."""
    monkeypatch.setattr(durable, "WITHIN", 0.2)
    with valkey_server(*NEVER) as server:
        async with store_on(server) as store:
            for _ in range(2):
                with pytest.raises(NotDurable, match="stored, but not known to be on disk"):
                    await store.submit(QUEUE, [new_job("a")], DISK)
            assert (await store.facts(QUEUE)).ready == 1
            await store.redis.execute("CONFIG", "SET", "appendfsync", "always")
            assert await store.submit(QUEUE, [new_job("a")], DISK) == [KNOWN]


async def test_a_server_without_a_file_refuses_before_anything_is_stored() -> None:
    """The remedy is in the message."""
    with valkey_server() as server:
        async with store_on(server) as store:
            with pytest.raises(StoreRefused, match=r"appendonly yes.*Nothing was stored"):
                await store.submit(QUEUE, [new_job("a")], DISK)
            assert await store.read(QUEUE, "a") is None


async def test_many_durable_submissions_wait_for_the_disk_together(everysec: ValkeyServer) -> None:
    """What comes while one group waits is the next group: a hundred take a few syncs, not a hundred."""
    async with store_on(everysec) as store, trio.open_nursery() as nursery:
        before = await calls(store, "waitaof")
        for number in range(100):
            nursery.start_soon(store.submit, QUEUE, [new_job(str(number))], DISK)
        with trio.fail_after(20):
            while (await store.facts(QUEUE)).ready < 100:
                await trio.lowlevel.checkpoint()
    async with store_on(everysec) as store:
        # Two a group: one asks whether the server can, one waits.
        assert await calls(store, "waitaof") - before <= 10


async def test_a_cancelled_submission_leaves_the_others_of_its_group_alone(everysec: ValkeyServer) -> None:
    """Whoever was sending for all is cancelled; the next sends again, and nothing is there twice."""
    answers: list[Submitted] = []

    async def submit(jobs: Sequence[NewJob]) -> None:
        answers.extend(await store.submit(QUEUE, jobs, DISK))

    async with store_on(everysec) as store:
        await store.redis.execute("CONFIG", "SET", "appendfsync", "no")
        with trio.fail_after(20):
            async with trio.open_nursery() as nursery:
                with trio.CancelScope() as impatient:
                    async with trio.open_nursery() as group:
                        group.start_soon(store.submit, QUEUE, [new_job("first")], DISK)
                        while await store.read(QUEUE, "first") is None:
                            await trio.lowlevel.checkpoint()
                        nursery.start_soon(submit, [new_job("second")])
                        await trio.testing.wait_all_tasks_blocked()
                        impatient.cancel()
                await store.redis.execute("CONFIG", "SET", "appendfsync", "always")
        assert [one.suffix for one in answers] == ["second"]
        assert (await store.facts(QUEUE)).ready == 2


async def test_a_script_that_the_server_does_not_know_is_loaded(everysec: ValkeyServer) -> None:
    """A durable submission may be the first of all, and follow a flush of the scripts."""
    async with store_on(everysec) as store:
        await store.submit(QUEUE, [new_job("a")], DISK)
        await store.redis.execute("SCRIPT", "FLUSH")
        await store.submit(QUEUE, [new_job("b")], DISK)
        assert (await store.facts(QUEUE)).ready == 2


async def test_a_connection_lost_meanwhile_is_replaced(everysec: ValkeyServer) -> None:
    """Killed while it waits for the disk, a group is sent again: stored once, acknowledged once."""
    async with store_on(everysec) as store:
        await store.redis.execute("CONFIG", "SET", "appendfsync", "no")
        async with trio.open_nursery() as nursery:
            nursery.start_soon(store.submit, QUEUE, [new_job("a")], DISK)
            with trio.fail_after(10):
                while b"cmd=waitaof" not in await _clients(store):
                    await trio.lowlevel.checkpoint()
            await store.redis.execute("CLIENT", "KILL", "SKIPME", "yes", "TYPE", "normal")
            await store.redis.execute("CONFIG", "SET", "appendfsync", "always")
        assert (await store.facts(QUEUE)).ready == 1


async def _clients(store: RedisStore) -> bytes:
    reply = await store.redis.execute("CLIENT", "LIST")
    assert isinstance(reply, bytes)
    return reply


async def test_waiting_for_replicas_means_that_they_have_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Acknowledged, the job is on the replica; while the replica stands still, nothing is acknowledged."""
    with valkey_server(tcp=True) as master, valkey_server() as replica:
        async with store_on(master) as store, Redis(replica.url) as second:
            with pytest.raises(NotDurable, match="0 of 1 replicas to wait for; nothing was stored"):
                await store.submit(QUEUE, [new_job("a")], Terms(replicas=1))
            assert await store.read(QUEUE, "a") is None

            await second.execute("REPLICAOF", "127.0.0.1", master.port)
            await _replicas(store, 1)
            await store.submit(QUEUE, [new_job("a")], Terms(replicas=1))
            assert await second.execute("EXISTS", f"penstock:{{{QUEUE}}}:job:a") == 1

            replica.pause()
            monkeypatch.setattr(durable, "WITHIN", 0.2)
            with pytest.raises(NotDurable, match="1 replicas have not got it"):
                await store.submit(QUEUE, [new_job("b")], Terms(replicas=1))
            replica.resume()


async def _replicas(store: RedisStore, count: int) -> None:
    with trio.fail_after(20):
        while await store.redis.execute("WAIT", count, 100) != count:
            await trio.lowlevel.checkpoint()


async def test_a_job_declares_how_safe_its_submissions_are(everysec: ValkeyServer) -> None:
    """`durable` may stand in the declaration and be said otherwise for one submission."""
    module = Module("m")

    @module.job(durable=True)
    async def pay(ctx: JobContext) -> None: ...

    async with store_on(everysec) as store:
        client = Client(store)
        await client.submit(pay.using(durable=False))
        assert await calls(store, "waitaof") == 0
        await client.submit(pay)
        assert await calls(store, "waitaof") > 0
