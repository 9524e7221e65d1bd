"""The API under a server that others start."""

import hashlib
import json
import sys
import urllib.error
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


def status(url: str, token: str = "") -> int:
    """What a request with this token, or with none, is answered."""
    request = urllib.request.Request(url, headers={"Authorization": f"Bearer {token}"} if token else {})
    try:
        with urllib.request.urlopen(request, timeout=30) as response:
            return int(response.status)
    except urllib.error.HTTPError as error:
        with error:
            return error.code


def test_tokens_and_a_port_for_metrics(valkey: ValkeyServer, tmp_path: Path) -> None:
    """Both as under `penstock api`: the settings are the same."""
    digest = hashlib.sha256(b"penstock_secret").hexdigest()
    (tmp_path / "tokens").write_text(json.dumps({"name": "a", "sha256": digest, "scopes": ["read"]}))
    command = ("-m", "hypercorn", "-k", "trio", "-b", "127.0.0.1:0", "penstock.deploy.asgi:app")
    env = {
        "PENSTOCK_APP": "support.application:trial",
        "PENSTOCK_REDIS": valkey.url,
        "PENSTOCK_TOKENS_FILE": str(tmp_path / "tokens"),
        "PENSTOCK_METRICS_BIND": "127.0.0.1:0",
    }
    with python(*command, **env) as process:
        one = process.wait_for_line(r"Running on (http://\S+)")[1]
        other = process.wait_for_line(rf"^(?!.*{one}\b).*Running on (http://\S+)")[1]
        # They are told by two writers, in no order; only one has metrics for who has no token.
        probes, url = (one, other) if status(f"{one}/metrics") == 200 else (other, one)
        assert [status(f"{probes}{path}") for path in ("/metrics", "/readyz")] == [200, 200]
        assert [status(f"{url}/v1/queues", token) for token in ("", "wrong", "penstock_secret")] == [
            401,
            401,
            200,
        ]
        assert status(f"{url}/metrics", "penstock_secret") == 404
        assert process.terminate() == 0, str(process)


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
