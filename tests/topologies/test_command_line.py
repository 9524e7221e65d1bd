"""The command line takes all addresses: a real worker process on a Sentinel set and on a Cluster."""

from collections.abc import Generator
from pathlib import Path

import pytest
import trio

from penstock.engine import Client, JobState
from penstock.engine.redis_store import RedisStore
from penstock.engine.transport import open_link
from support.application import add
from support.cluster import ValkeyCluster
from support.processes import Start, processes
from support.redis_server import valkey_server
from support.sentinel import sentinel_set

APP = "support.application:trial"


@pytest.fixture
def start(tmp_path: Path) -> Generator[Start]:
    """Start `penstock` with arguments."""
    with processes(tmp_path) as starter:
        yield starter


async def _work_is_done(url: str) -> None:
    """A job submitted at `url`, as often as it takes, is run by whoever works there."""
    link = open_link(url)
    async with Client(RedisStore(link)) as client:
        with trio.fail_after(40):
            job = await client.wait((await client.submit(add, 1, 2)).id)
    assert (job.state, job.result) == (JobState.SUCCEEDED, 3)
    await link.aclose()


async def test_a_worker_lives_through_a_failover(start: Start) -> None:
    """It goes on under the new master, and leaves in good order when it is told to."""
    with sentinel_set() as servers:
        worker = start("worker", APP, "--redis", servers.url, "--queues", "default")
        worker.wait_for_line("worker started")
        await _work_is_done(servers.url)
        servers.master().kill()
        await trio.to_thread.run_sync(servers.wait_for_master)
        await _work_is_done(servers.url)
        assert worker.terminate() == 0


async def test_a_worker_works_on_a_cluster(start: Start, cluster: ValkeyCluster) -> None:
    """Its queues lie on several nodes, and one address is enough."""
    queues = [cluster.queue_on(master) for master in cluster.masters]
    url = f"redis+cluster://127.0.0.1:{cluster.nodes[0].port}"
    worker = start("worker", APP, "--redis", url, "--queues", ",".join([*queues, "default"]))
    worker.wait_for_line("worker started")
    await _work_is_done(url)
    assert worker.terminate() == 0


@pytest.mark.parametrize(
    ("scheme", "path", "words"),
    [
        ("redis+cluster", "", "not answer as a node of a Cluster"),
        ("redis+sentinel", "/jobs", "not answer as a Sentinel"),
    ],
)
def test_an_address_that_is_something_else_is_told(start: Start, scheme: str, path: str, words: str) -> None:
    """`penstock check` names the server and what to write instead."""
    with valkey_server(tcp=True) as server:
        check = start("check", "--redis", f"{scheme}://127.0.0.1:{server.port}{path}")
        assert check.wait() == 1
        assert f"127.0.0.1:{server.port}" in check.wait_for_line(words).string
        assert "redis://" in check.wait_for_line(words).string
