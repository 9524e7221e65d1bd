"""From a job's end to a row: the relay hands endings to the SQL history."""

from pathlib import Path

import trio

from penstock.engine import Client, JobState, Registry, Worker
from penstock.engine.redis_store import RedisStore
from penstock.engine.transport import Redis
from relay.application import again, doomed, module
from support.processes import PENSTOCK, Process
from support.redis_server import ValkeyServer


def command(tmp_path: Path, *words: str) -> Process:
    """A command of the command line."""
    return Process([PENSTOCK, *words], env={}, cwd=tmp_path)


async def test_jobs_that_ended_are_found_in_the_history(valkey: ValkeyServer, tmp_path: Path) -> None:
    """With each of their attempts, though the record kept only the last; none is missing."""
    from penstock.engine.job_history import HistorySettings, open_history

    url = f"sqlite:///{tmp_path}/history.db"
    migration = command(tmp_path, "migrate", "--history-url", url)
    relay = None
    try:
        assert migration.wait() == 0
        relay = command(
            tmp_path, "relay", "relay.application:module", "--history-url", url, "--redis", valkey.url
        )
        relay.wait_for_line("relay started")
        async with (
            Redis(valkey.url) as redis,
            Client(RedisStore(redis)) as client,
            trio.open_nursery() as nursery,
        ):
            store = RedisStore(redis)
            with trio.fail_after(30):
                while not (await store.outbox.backlog("two")).sinks:  # noqa: ASYNC110 - nobody tells
                    await trio.sleep(0.02)
            worker = Worker(store, Registry([module]))
            nursery.start_soon(worker.run)
            receipts = [await client.submit(again, 1), await client.submit(doomed, 2)]
            for receipt in receipts:
                await client.wait(receipt.id)
            worker.drain()
            with trio.fail_after(30):
                while (await store.outbox.backlog("two")).sinks[0].behind:  # noqa: ASYNC110 - nobody tells
                    await trio.sleep(0.02)
        assert relay.terminate() == 0
    finally:
        migration.kill()
        if relay is not None:
            relay.kill()
    async with open_history(HistorySettings(url=url)) as history:
        first, second = [await history.read(receipt.id) for receipt in receipts]
    assert first is not None
    assert second is not None
    assert (first.state, len(first.attempts)) == (JobState.SUCCEEDED, 3)
    assert (second.state, len(second.attempts)) == (JobState.DEAD, 1)
