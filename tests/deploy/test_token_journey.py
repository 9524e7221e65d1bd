"""One job, submitted with a token: whose it is shows wherever something of it is kept or told."""

import json
import time
from pathlib import Path
from typing import Any

import httpx
import pytest

from penstock.http.token_book import digest_of
from support.processes import WITHIN, Process, Start
from support.redis_server import ValkeyServer

APP = "support.token_journey:shop"
SECRET = "penstock_secret-of-ann-at-acme"
TOKEN = {
    "name": "ann",
    "sha256": digest_of(SECRET),
    "scopes": ["submit", "read"],
    "tenant": "acme",
    "user": "ann",
}
TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
SENT = {
    "Authorization": f"Bearer {SECRET}",
    "traceparent": f"00-{TRACE}-00f067aa0ba902b7-01",
    "baggage": "tenant_id=globex,user_id=bystander,colour=ultramarine",
}
WHOSE = {"tenant_id": "acme", "user_id": "ann"}


def lines(process: Process, event: str) -> list[dict[str, Any]]:
    """Its log lines of that event."""
    found = (json.loads(line) for line in process.err if line.startswith("{"))
    return [line for line in found if line["event"] == event]


def span(file: Path, name: str) -> dict[str, Any]:
    """The one span of that name."""
    found = [json.loads(line) for line in file.read_text().splitlines()]
    (one,) = [each for each in found if each["name"] == name]
    return dict(one)


def in_history(http: httpx.Client) -> dict[str, Any]:
    """The job in the history, by its trace; nobody tells when the relay has written it, so it is asked."""
    until = time.monotonic() + WITHIN
    while time.monotonic() < until:
        found = http.get("/v1/history", params={"trace_id": TRACE, "job": "shop.order"}).json()["jobs"]
        if found:
            return dict(found[0])
    raise AssertionError("it never came into the history")


@pytest.mark.slow
def test_tenant_and_user_of_a_token_show_everywhere_and_nothing_of_baggage(
    start: Start, valkey: ValkeyServer, tmp_path: Path
) -> None:
    """Request span, job, events, SQL history and log lines of three processes; the secret is in none."""
    (tmp_path / "tokens").write_text(json.dumps(TOKEN))
    kept = f"sqlite:///{tmp_path}/history.db"
    assert start("migrate", "--history-url", kept).wait() == 0
    common = (APP, "--redis", valkey.url, "--log-level", "debug", "--spans-file")
    # Not of the queue of events: or the handling of each end would be another end.
    relay = start("relay", *common, "relay.spans", "--queues", "default", "--events", "--history-url", kept)
    relay.wait_for_line("relay started")
    worker = start("worker", *common, "worker.spans")
    worker.wait_for_line("worker started")
    options = ("--bind", "127.0.0.1:0", "--tokens-file", "tokens", "--history-url", kept)
    api = start("api", *common, "api.spans", *options)
    url = api.wait_for_line(r"Running on (\S+)")[1]

    with httpx.Client(base_url=url, headers=SENT, timeout=WITHIN) as http:
        submitted = http.post("/v1/jobs", json={"job": "shop.order", "args": {"number": 7}})
        assert submitted.status_code == 202, submitted.text
        job = http.get(f"/v1/jobs/{submitted.json()['id']}/wait").json()
        past = in_history(http)
    for line in ("order heard of", "end heard of"):
        worker.wait_for_line(f'"event":"{line}"')
    processes = [api, worker, relay]
    assert [process.terminate() for process in processes] == [0, 0, 0]

    assert (job["state"], job["tenant"], job["user"], job["trace_id"]) == ("succeeded", "acme", "ann", TRACE)
    assert (past["id"], past["tenant"], past["user"], past["trace_id"]) == (job["id"], "acme", "ann", TRACE)
    for file, name in (("api", "POST /v1/jobs"), ("worker", "process default")):
        one = span(tmp_path / f"{file}.spans", name)
        assert one["trace_id"] == TRACE
        assert one["attributes"]["messaging.penstock.tenant"] == "acme"
        assert one["attributes"]["messaging.penstock.user"] == "ann"
    told = [(api, "request served"), (worker, "ordering"), (worker, "job finished")]
    told += [(worker, "order heard of"), (worker, "end heard of")]
    for process, event in told:
        found = lines(process, event)
        assert found
        assert all(line.items() >= WHOSE.items() for line in found), found
    assert lines(worker, "ordering")[0]["trace_id"] == TRACE
    assert lines(worker, "end heard of")[0]["of"] == ["acme", "ann", TRACE]

    written = [line for process in processes for line in (*process.out, *process.err)]
    written += [file.read_bytes().decode("latin-1") for file in tmp_path.glob("*.spans")]
    written += [file.read_bytes().decode("latin-1") for file in tmp_path.glob("history.db*")]
    everything = "\n".join([*written, json.dumps([job, past])])
    assert TRACE in everything
    for word in ("globex", "bystander", "ultramarine", SECRET, digest_of(SECRET)):
        assert word not in everything
