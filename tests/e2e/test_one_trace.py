"""One trace id leads from the request to the last log line."""

import json
import urllib.request
from typing import Any

from e2e.system import logged, start_api, start_worker
from support.otlp_receiver import otlp_receiver
from support.processes import Start
from support.redis_server import ValkeyServer


def call(url: str, body: dict[str, Any] | None = None) -> Any:
    """GET, or POST a JSON body."""
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=30) as response:
        return json.load(response)


def test_one_trace(start: Start, valkey: ValkeyServer) -> None:
    """Response, API log, worker log, job record and the spans a collector receives carry one trace id."""
    with otlp_receiver() as receiver:
        options = ("--otlp-endpoint", receiver.endpoint)
        api, url = start_api(start, valkey.url, *options)
        worker = start_worker(start, valkey.url, *options)

        submitted = call(f"{url}/v1/jobs", {"job": "trial.add", "args": {"left": 1}, "user": "ada"})
        record = call(f"{url}/v1/jobs/{submitted['id']}/wait")
        assert [worker.terminate(), api.terminate()] == [0, 0]  # both have handed over all they had

    trace_id = submitted["trace_id"]
    assert len(trace_id) == 32
    assert record["trace_id"] == trace_id
    [request] = [line for line in logged(api, "request served") if line["method"] == "POST"]
    [own] = logged(worker, "added")
    [finished] = logged(worker, "job finished")
    for line in (request, own, finished):
        assert (line["trace_id"], line["job_id"]) == (trace_id, submitted["id"])
    assert (own["job"], own["module"], own["attempt"], own["user_id"]) == ("trial.add", "trial", 1, "ada")

    spans = {span.name: span for span in receiver.spans if span.trace_id.hex() == trace_id}
    parts = {"parse", "validate", "enqueue default"}
    assert set(spans) == {"POST /v1/jobs", *parts, "wait default", "process default"}
    parents = {name: span.parent_span_id for name, span in spans.items()}
    assert parents["POST /v1/jobs"] == b""
    for name in parts:
        assert parents[name] == spans["POST /v1/jobs"].span_id
    assert parents["wait default"] == parents["process default"] == spans["enqueue default"].span_id
    assert finished["span_id"] == spans["process default"].span_id.hex()
