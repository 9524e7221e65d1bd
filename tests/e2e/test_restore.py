"""A backup that was taken while work went on is started elsewhere, and the work goes on there."""

import shutil
from collections.abc import Awaitable, Callable, Generator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest
import trio

from e2e.system import connected, ends, start_worker
from penstock.engine import JobState
from penstock.engine.transport import Redis
from support.application import add, gated
from support.gate import gate
from support.processes import Start
from support.redis_server import DURABLE, ValkeyServer, valkey_server

QUEUES = ("--queues", "default,gated", "--lease", "1")
WITHIN = 30.0

Copy = Callable[[Redis, ValkeyServer, Path], Awaitable[None]]


async def copy_append_only(redis: Redis, server: ValkeyServer, backup: Path) -> None:
    """Keep the server from rewriting the files, and copy the folder."""
    await redis.execute("CONFIG", "SET", "auto-aof-rewrite-percentage", 0)
    assert b"aof_rewrite_in_progress:0" in await info(redis)
    shutil.copytree(server.directory / "appendonlydir", backup / "appendonlydir")
    await redis.execute("CONFIG", "SET", "auto-aof-rewrite-percentage", 100)


async def copy_snapshot(redis: Redis, server: ValkeyServer, backup: Path) -> None:
    """Have a snapshot written, and copy the file."""
    await redis.execute("BGSAVE")
    with trio.fail_after(WITHIN):
        while b"rdb_bgsave_in_progress:1" in await info(redis):  # noqa: ASYNC110 -- nobody tells
            await trio.sleep(0.02)
    assert b"rdb_last_bgsave_status:ok" in await info(redis)
    shutil.copy(server.directory / "dump.rdb", backup)


async def info(redis: Redis) -> bytes:
    reply = await redis.execute("INFO", "persistence")
    assert isinstance(reply, bytes)
    return reply


@pytest.mark.slow
@pytest.mark.parametrize(
    ("copy", "config"), [(copy_append_only, DURABLE), (copy_snapshot, ("--appendonly", "no"))]
)
async def test_a_backup_is_worked_off_elsewhere(
    start: Start, valkey: ValkeyServer, tmp_path: Path, copy: Copy, config: Sequence[str]
) -> None:
    """Every job that waited or ran then is there and ends once; one that had ended has its result.

    What ran goes back in line when the lease of the worker that is not there has run out.
    """
    with gate() as entrance:
        worker = start_worker(start, valkey.url, *QUEUES)
        async with connected(valkey.url) as client, Redis(valkey.url) as redis:
            [done] = await client.submit_many([add.request(left=1)])
            await ends(client, [done])
            running = await client.submit_many([gated.request(gate=entrance.path)])
            entrance.wait_for(1)
            await client.submit_many([add.using(delay=3600).request(left=3)] * 20)
            await copy(redis, valkey, tmp_path)
            [after] = await client.submit_many([add.request(left=4)])
        worker.kill()
        valkey.kill()
        with server_on(tmp_path, config) as restored:
            start_worker(start, restored.url, *QUEUES)
            entrance.wait_for(2)
            entrance.open()
            async with connected(restored.url) as client:
                [job] = await ends(client, running)
                assert (job.state, job.crashes) == (JobState.SUCCEEDED, 1)
                assert (await client.store.facts("default")).scheduled == 20
                ended = await client.get(done.id)
                assert ended is not None
                assert (ended.state, ended.result) == (JobState.SUCCEEDED, 1)
                assert await client.get(after.id) is None  # what came after the backup is not in it


@contextmanager
def server_on(backup: Path, config: Sequence[str]) -> Generator[ValkeyServer]:
    """A fresh server that finds the backup in its folder when it starts."""
    with valkey_server(*config) as server:
        server.kill()
        shutil.rmtree(server.directory / "appendonlydir", ignore_errors=True)
        shutil.copytree(backup, server.directory, dirs_exist_ok=True)
        server.start()
        yield server
