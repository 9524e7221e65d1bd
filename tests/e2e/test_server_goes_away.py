"""A server that dies, stays away or stands still, and real workers and an API that live through it."""

from collections.abc import Sequence

import pytest
import trio

from e2e.probes import listens, status, telling, until_ready
from e2e.system import connected, ends, logged, start_api
from penstock.engine import Job, JobState
from support.application import add, gated
from support.gate import gate
from support.processes import Process, Start
from support.redis_server import ValkeyServer

APP = "support.application:trial"
LEASE = 5.0
"""Longer than it takes to find the server again, on a machine that is swamped: up to 2 s between tries."""
OPTIONS = ("--queues", "gated,default", "--concurrency", "2", "--lease", str(LEASE))
SLOTS = 6  # three workers of two each


def start_workers(start: Start, redis: str) -> list[Process]:
    """One worker by itself and two under a supervisor, with their leases."""
    probes = ("--metrics-bind", "127.0.0.1:0")
    alone = start("worker", APP, "--redis", redis, *OPTIONS, *probes)
    pair = start("worker", APP, "--redis", redis, *OPTIONS, *probes, "--processes", "2")
    alone.wait_for_line('"event":"worker started"')
    for index in (1, 2):
        pair.wait_for_line(f'"event":"worker started".*"process":{index}')
    return [alone, pair]


def pids(workers: Sequence[Process]) -> set[str]:
    """The process ids of all workers, as their names have them."""
    return {line["worker"].split("-")[-3] for one in workers for line in logged(one, "worker started")}


def workers_of(jobs: Sequence[Job]) -> set[str]:
    """The process ids of those who did the jobs."""
    return {job.result.split("-")[-3] for job in jobs}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("how", "seconds"),
    [
        ("killed", 3.0),
        ("paused", 1.5 * LEASE),
        pytest.param("killed", 30.0, marks=pytest.mark.slow),
        pytest.param("paused", 30.0, marks=pytest.mark.slow),
    ],
)
async def test_server_is_away(start: Start, valkey: ValkeyServer, how: str, seconds: float) -> None:
    """Everybody survives and says so; no handler is cancelled or run twice; all ends; all work again.

    A result that comes while the server is away is kept and settled afterwards. On a unix socket, because
    somebody else could be given the port of a server that is dead.
    """
    workers = start_workers(start, valkey.url)
    api, api_url = start_api(start, valkey.url)
    urls = [api_url, *map(listens, workers)]
    with telling(*workers, api), gate() as during, gate() as after:
        async with connected(valkey.url) as client:
            for url in urls:
                await until_ready(url, 200)
            held = [during.path, after.path] * (SLOTS // 2)
            receipts = await client.submit_many([gated.request(gate=path) for path in held])
            during.wait_for(SLOTS // 2)
            after.wait_for(SLOTS // 2)

            back = trio.current_time() + seconds
            valkey.kill() if how == "killed" else valkey.pause()
            for url in urls:
                await until_ready(url, 503)
            assert [status(f"{url}/healthz") for url in urls] == [200] * 3
            during.open()
            await trio.sleep_until(back)  # not to wait for anything: the time itself is what is tested
            valkey.start() if how == "killed" else valkey.resume()

            for url in urls:
                await until_ready(url, 200)
            after.open()
            jobs = await ends(client, receipts)

            # Every worker consumes: there are as many jobs as slots, and none of them ends by itself.
            again = await client.submit_many([gated.request(gate=after.path)] * SLOTS)
            after.wait_for(SLOTS // 2 + SLOTS)
            after.open()
            later = await ends(client, again)
            [idle] = await ends(client, await client.submit_many([add.request(left=1)]))

    assert [(job.state, job.crashes) for job in jobs] == [(JobState.SUCCEEDED, 0)] * SLOTS
    assert len(during.waiting) == SLOTS // 2
    assert len(after.waiting) == SLOTS // 2 + SLOTS
    assert workers_of(later) == workers_of(jobs) == pids(workers)
    assert idle.state is JobState.SUCCEEDED
    for worker in workers:
        assert logged(worker, "lease lost, cancelling its jobs") == []
        assert logged(worker, "worker process ended, starting another") == []
        assert logged(worker, "worker loop crashed, starting it again") == []
    assert [process.terminate() for process in (*workers, api)] == [0, 0, 0]
