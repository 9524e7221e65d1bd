"""A real OpenTelemetry Collector with our settings: what processes wrote arrives as what it was.

`.ci/otelcol` builds it, which takes minutes once; `make manifests` does. Where it is not, these are skipped.
"""

from pathlib import Path

import pytest
import trio

from e2e.system import connected, ends, logged, start_worker
from manifests.collector import collector
from manifests.container import POD, as_a_runtime_writes
from manifests.log_receiver import log_receiver, strings
from support.application import add
from support.otlp_receiver import otlp_receiver
from support.processes import Process, Start, free_port
from support.redis_server import ValkeyServer

pytestmark = pytest.mark.slow


async def _worked(start: Start, valkey: ValkeyServer, *options: str) -> Process:
    """A worker that has run one job and ended."""
    worker = start_worker(start, valkey.url, *options)
    async with connected(valkey.url) as client:
        receipt = await client.submit(add, 1)
        await ends(client, [receipt])
    assert worker.terminate() == 0
    return worker


async def test_a_line_arrives_with_its_trace(start: Start, valkey: ValkeyServer, tmp_path: Path) -> None:
    """filelog.yaml makes of each line a record with its level, trace and span; what is text stays text."""
    worker = await _worked(start, valkey, "--log-format", "json")
    [finished] = logged(worker, "job finished")
    logs = tmp_path / "pods" / POD / "penstock"
    logs.mkdir(parents=True)
    lines = [*worker.err, "Segmentation fault"]
    (logs / "0.log").write_text("".join(map(as_a_runtime_writes, lines)))

    with log_receiver() as receiver:
        env = {"LOGS": f"{tmp_path}/pods/penstock_*/penstock/*.log", "LOGS_ENDPOINT": receiver.url}
        with collector("filelog.yaml", tmp_path, **env):
            await trio.to_thread.run_sync(receiver.wait_for, len(lines))

    records = {record.body.string_value: record for record in receiver.records}
    record = records["job finished"]
    assert record.trace_id.hex() == finished["trace_id"]
    assert record.span_id.hex() == finished["span_id"]
    assert record.flags == int(finished["trace_flags"], 16)
    assert record.severity_text == "info"
    assert strings(record.attributes)["job_id"] == finished["job_id"]
    assert not {"trace_id", "span_id", "timestamp", "level", "event"} & set(strings(record.attributes))
    assert records["Segmentation fault"].trace_id == b""
    resource = strings(receiver.requests[0].resource_logs[0].resource.attributes)
    assert resource["service.name"] == "penstock-worker"
    assert resource["k8s.pod.name"] == "penstock-worker-6f9c7d-x7k2p"
    assert resource["k8s.namespace.name"] == "penstock"


async def test_spans_pass_the_gateway(start: Start, valkey: ValkeyServer, tmp_path: Path) -> None:
    """gateway.yaml hands on what Penstock's exporter sends, and keeps it while the other side refuses."""
    port = free_port()
    with otlp_receiver() as receiver:
        receiver.answer = 503
        env = {"LISTEN": f"127.0.0.1:{port}", "TRACES_ENDPOINT": receiver.endpoint}
        with collector("gateway.yaml", tmp_path, **env):
            await _worked(start, valkey, "--otlp-endpoint", f"http://127.0.0.1:{port}")
            assert await trio.to_thread.run_sync(receiver.wait_for_requests, 1, 60)
            receiver.answer = 200
            assert await trio.to_thread.run_sync(receiver.wait_for_requests, 2, 60)

    assert "process default" in {span.name for span in receiver.spans}
    assert receiver.resource["service.name"] == "penstock-worker"
