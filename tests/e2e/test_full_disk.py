"""A server whose disk is full: it answers MISCONF to every write, and to PING."""

import resource
from collections.abc import Generator
from pathlib import Path

import httpx
import pytest
import trio

from e2e.probes import until_ready
from e2e.system import WITHIN, connected, ends, logged, start_api
from penstock.engine import Client, JobState
from support import redis_server
from support.application import add, gated
from support.gate import gate
from support.processes import Start
from support.redis_server import ValkeyServer, valkey_server

EVERYSEC = ("--appendonly", "yes", "--appendfsync", "everysec")
"""Under `always`, as the embedded server has it, a server that cannot write ends itself."""
JOB = {"job": "trial.add", "args": {"left": 1}}


@pytest.fixture
def limited(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Generator[ValkeyServer]:
    """A server that does not die of SIGXFSZ, so that a limit on its files looks like a full disk to it."""
    program = tmp_path / "server"
    program.write_text(f"#!/bin/sh\ntrap '' XFSZ\nexec {redis_server.SERVER} \"$@\"\n")
    program.chmod(0o755)
    monkeypatch.setattr(redis_server, "SERVER", str(program))
    with valkey_server(*EVERYSEC, tcp=True) as server:
        yield server


def fill(server: ValkeyServer, room: int = 0) -> None:
    """Leave no more than `room` bytes for each of its files; -1 for all they want."""
    assert server._process is not None
    resource.prlimit(server._process.pid, resource.RLIMIT_FSIZE, (room, resource.RLIM_INFINITY))


async def test_full_disk(start: Start, limited: ValkeyServer) -> None:
    """Submissions answer 503, nobody is ready, the worker lives; with room again all that was taken ends."""
    worker = start(
        *("worker", "support.application:trial", "--redis", limited.tcp_url, "--lease", "2"),
        *("--metrics-bind", "127.0.0.1:0"),
    )
    worker.wait_for_line("worker started")
    probes = worker.wait_for_line(r"Running on (\S+)")[1]
    api, url = start_api(start, limited.tcp_url)
    with gate() as entrance:
        async with connected(limited.tcp_url) as client, httpx.AsyncClient() as http:
            held = await client.submit_many([gated.request(gate=entrance.path)])
            entrance.wait_for(1)

            fill(limited)
            refused = await until_refused(http, f"{url}/v1/jobs")
            for place in (url, probes):
                await until_ready(place, 503)
            entrance.open()  # its ending has to wait
            fill(limited, resource.RLIM_INFINITY)
            for place in (url, probes):
                await until_ready(place, 200)
            jobs = await ends(client, held)
            [later] = await ends(client, await client.submit_many([add.request(left=1)]))
            left = await waiting(client)

    assert refused.json()["title"]
    assert "Retry-After" in refused.headers
    assert [(job.state, job.crashes) for job in [*jobs, later]] == [(JobState.SUCCEEDED, 0)] * 2
    assert left == 0
    assert len(entrance.waiting) == 1
    assert logged(worker, "lease lost, cancelling its jobs") == []
    assert [worker.terminate(), api.terminate()] == [0, 0]


async def until_refused(http: httpx.AsyncClient, url: str) -> httpx.Response:
    """Submit until it is refused; the server notices when it next writes, and every answer is one of two."""
    with trio.fail_after(WITHIN):
        while True:
            answer = await http.post(url, json=JOB, timeout=30)
            assert answer.status_code in (202, 503)
            if answer.status_code == 503:
                return answer


async def waiting(client: Client) -> int:
    """Jobs that have not ended, once those submitted before the disk was full have."""
    with trio.fail_after(WITHIN):
        while True:
            facts = await client.store.facts("default")
            if facts.ready + facts.running == 0:
                return facts.scheduled + facts.dead
            await trio.sleep(0.05)
