"""`penstock failures`: what is printed, for people and for programs."""

import json
import urllib.request
from typing import Any

import msgspec
import pytest
from click.testing import CliRunner

from penstock.deploy.failures import Failures, failures
from penstock.deploy.http_client import HttpClient
from support.processes import Start
from support.redis_server import ValkeyServer

APP = "support.application:trial"


def shown(monkeypatch: pytest.MonkeyPatch, *options: str, **fields: Any) -> tuple[str, str]:
    """What is printed of one failure, and the path that the API was asked for."""
    one = {
        "fingerprint": "0123456789abcdef",
        "count": 12,
        "queue": "media",
        "job": "images.thumbnail",
        "type": "ValueError",
        "message": "no",
        "first_seen": "2026-01-31T08:30:00.125Z",
        "last_seen": "2026-01-31T09:30:00.125Z",
        "job_id": f"media.{'0' * 28}",
        "trace_id": "a" * 32,
    }
    asked = list[str]()

    def call(self: HttpClient, method: str, path: str, answer: type[Failures]) -> Failures:
        asked.append(path)
        return msgspec.json.decode(json.dumps({"failures": [one | fields]}), type=answer)

    monkeypatch.setattr(HttpClient, "call", call)
    result = CliRunner().invoke(failures, options, catch_exceptions=False)
    assert result.exit_code == 0
    return result.output, asked[0]


def test_from_a_worker_to_the_list(start: Start, valkey: ValkeyServer) -> None:
    """Two jobs fail alike: one failure, counted twice, with the last job; of another queue there is none."""
    start("worker", APP, "--redis", valkey.url)
    api = start("api", APP, "--redis", valkey.url, "--bind", "127.0.0.1:0")
    url = api.wait_for_line(r"Running on (\S+)")[1]
    start("failures", "--api", url).wait_for_line("no failures")
    for why in ("no such customer", "no such order"):
        process = start("submit", "trial.refuse", f"why={why}", "--wait", "--api", url)
        assert process.wait() == 1
    job_id, trace_id = (line[10:].strip() for line in process.out[:2])

    process = start("failures", "--json", "--api", url)
    assert process.wait() == 0, str(process)
    (line,) = process.out
    one = json.loads(line)
    assert (one["count"], one["job"], one["queue"]) == (2, "trial.refuse", "default")
    assert (one["job_id"], one["trace_id"], one["message"]) == (job_id, trace_id, "no such order")
    with urllib.request.urlopen(f"{url}/v1/jobs/{job_id}") as response:
        error = json.load(response)["error"]
    assert (error["fingerprint"], error["trace_id"], error["attempt"]) == (one["fingerprint"], trace_id, 1)
    assert "raise Dead(why)" in error["traceback"]
    assert error["worker"]
    process = start("failures", "--api", url)
    assert process.wait() == 0
    text = "\n".join(process.out)
    assert all(word in text for word in (job_id, trace_id, one["fingerprint"], "no such order"))
    process = start("failures", "--queue", "other", "--api", url)
    assert (process.wait(), process.out) == (0, ["no failures"])


def test_everything_that_leads_on_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ids in one piece, to be copied."""
    text, path = shown(monkeypatch, "--queue", "media", "--limit", "5")
    assert path == "/v1/failures?limit=5&queue=media"
    assert "2026-01-31 09:30:00" in text
    for word in (
        "12",
        "images.thumbnail",
        "ValueError: no",
        f"media.{'0' * 28}",
        "a" * 32,
        "0123456789abcdef",
    ):
        assert word in text


def test_what_is_not_known_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    """A job whose workers died, and telemetry that was off."""
    text, _ = shown(monkeypatch, job=None, trace_id=None)
    assert "(job not known)" in text
    assert "trace id     -" in text


def test_a_message_cannot_command_the_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor break the table, nor pass as markup."""
    text, _ = shown(monkeypatch, message="\x1b[2J[red]gone[/red]\nnext\u202e", type="[bold]E")
    assert "\x1b[2J" not in text
    assert "\u202e" not in text
    assert "[red]gone[/red]\\nnext" in text
    assert "[bold]E" in text


def test_for_programs_each_is_a_line_as_the_api_said_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """JSON lines; what a newer API adds is passed on."""
    text, _ = shown(monkeypatch, "--json", novelty=1)
    (line,) = text.splitlines()
    assert json.loads(line)["novelty"] == 1


def test_a_queue_that_cannot_be(start: Start, valkey: ValkeyServer) -> None:
    """Said in one line, as everywhere."""
    api = start("api", APP, "--redis", valkey.url, "--bind", "127.0.0.1:0")
    url = api.wait_for_line(r"Running on (\S+)")[1]
    process = start("failures", "--queue", "N o", "--api", url)
    assert process.wait() == 2
    assert len(process.err) == 1
    assert "cannot name a queue" in process.err[0]
