"""The API under a server that others start."""

import json
import sys
import urllib.request
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import pytest

from support.processes import Process
from support.redis_server import ValkeyServer


@contextmanager
def python(*arguments: str, **env: str) -> Generator[Process]:
    """A Python with these arguments."""
    process = Process([sys.executable, *arguments], env=env, cwd=Path.cwd())
    try:
        yield process
    finally:
        process.kill()


@pytest.fixture
def hypercorn(valkey: ValkeyServer) -> Generator[Process]:
    """`hypercorn -k trio penstock.deploy.asgi:app`, settings in the environment."""
    command = ("-m", "hypercorn", "-k", "trio", "-b", "127.0.0.1:0", "penstock.deploy.asgi:app")
    with python(*command, PENSTOCK_APP="support.application:trial", PENSTOCK_REDIS=valkey.url) as process:
        yield process


def test_served_by_hypercorn(hypercorn: Process) -> None:
    """Jobs are submitted and waited for, with traces and access lines, and it ends well."""
    url = hypercorn.wait_for_line(r"Running on (http://\S+)")[1]
    body = json.dumps({"job": "trial.add", "args": {"left": 1}}).encode()
    request = urllib.request.Request(f"{url}/v1/jobs", body, {"Content-Type": "application/json"})

    with urllib.request.urlopen(request, timeout=30) as response:
        submitted = json.load(response)
    with urllib.request.urlopen(f"{url}/v1/jobs/{submitted['id']}/wait?timeout=0", timeout=30) as response:
        assert json.load(response)["state"] == "ready"

    hypercorn.wait_for_line(rf'"event":"request served".*"trace_id":"{submitted["trace_id"]}"')
    assert hypercorn.terminate() == 0, str(hypercorn)


def test_wrong_settings() -> None:
    """A wrong or missing variable is one clear line when the module is imported."""
    with python("-c", "import penstock.deploy.asgi", PENSTOCK_APP="nothing") as process:
        assert process.wait() == 1
    (line,) = process.err
    assert line.startswith("penstock: APP 'nothing' does not name an application")

    with python("-c", "import penstock.deploy.asgi") as process:
        assert process.wait() == 1
    (line,) = process.err
    assert line.startswith("penstock: ")
    assert "app" in line.lower()
