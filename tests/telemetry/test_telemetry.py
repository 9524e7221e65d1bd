"""The whole of it, as the composition root uses it."""

import io
import json
import logging
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest
import structlog
import trio
from opentelemetry import trace

from penstock.engine.errors import ConfigurationError
from penstock.engine.events import JobEnqueued, JobFinished, JobStarted, WorkerStopped
from penstock.engine.job import trace_id_of
from penstock.engine.outcome import Succeeded
from penstock.engine.store import QueueFacts
from penstock.telemetry import Telemetry, TelemetrySettings
from support.otlp_receiver import OTLPReceiver, otlp_receiver
from telemetry.rig import attempt, request

SOON = 5.0


@pytest.fixture
async def receiver() -> AsyncIterator[OTLPReceiver]:
    """A collector."""
    with otlp_receiver() as receiver:
        yield receiver


async def test_one_trace_id_everywhere(receiver: OTLPReceiver) -> None:
    """Headers, spans, log lines and exemplars of one job are found by the same id."""
    stream = io.StringIO()
    settings = TelemetrySettings(otlp_endpoint=receiver.endpoint, log_format="json")
    telemetry = Telemetry.start(settings, stream=stream)
    seams = telemetry.seams()
    with seams.around_submit([request()]) as headers:
        seams.observers.emit(JobEnqueued("media.1", "images.thumbnail", "media", None, duplicate=False))
    this = attempt(headers=dict(headers))
    assert seams.around_attempt is not None
    with seams.around_attempt(this):
        seams.observers.emit(JobStarted(this))
        await trio.to_thread.run_sync(structlog.get_logger().info, "in a thread of the handler")
        this.outcome = Succeeded(msgspec.Raw(b"\xc0"))
        seams.observers.emit(JobFinished(this, 1.0))
    body, _ = await telemetry.metrics_endpoint(NoQueues())("application/openmetrics-text")
    with trio.fail_after(SOON):
        await telemetry.aclose()

    trace_id = trace_id_of(headers)
    assert trace_id is not None
    assert sorted(span.name for span in receiver.spans) == ["enqueue media", "process media", "wait media"]
    assert {trace_id} == {span.trace_id.hex() for span in receiver.spans}
    lines = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert [line["event"] for line in lines] == ["in a thread of the handler", "job finished"]
    assert {(trace_id, "media.1")} == {(line["trace_id"], line["job_id"]) for line in lines}
    assert body.decode().count(f'# {{trace_id="{trace_id}"}}') == 2


class NoQueues:
    """A store that has none."""

    async def queues(self) -> list[str]:
        return []

    async def report(self, queue: str, reporter: str, lease: int) -> QueueFacts | None:
        raise NotImplementedError

    async def resign(self, queue: str, reporter: str) -> None:
        raise NotImplementedError

    async def memory(self, queue: str) -> float:
        raise NotImplementedError


async def test_instances_do_not_disturb_each_other() -> None:
    """Each has its own provider, metrics and lines, one after the other in one process."""
    streams = [io.StringIO(), io.StringIO()]
    for stream in streams:
        telemetry = Telemetry.start(TelemetrySettings(log_format="json"), stream=stream)
        telemetry.seams().observers.emit(WorkerStopped("w1"))
        await telemetry.aclose()

    assert [len(stream.getvalue().splitlines()) for stream in streams] == [1, 1]


async def test_a_global_provider_that_is_there_is_left_alone() -> None:
    """Whoever set one knows why; our spans come from our own all the same."""
    first = Telemetry.start(stream=io.StringIO())  # the first of this process sets it, if no other test has
    standing = trace.get_tracer_provider()
    second = Telemetry.start(stream=io.StringIO())

    assert standing is trace.get_tracer_provider()
    assert not isinstance(standing, trace.ProxyTracerProvider)
    await second.aclose()
    await first.aclose()


def test_a_wrong_level_is_refused() -> None:
    """Before anything is started."""
    with pytest.raises(ConfigurationError, match="shouting"):
        Telemetry.start(TelemetrySettings(log_level="shouting"))


async def test_losses_are_shown_where_alerts_look(receiver: OTLPReceiver) -> None:
    """What writer and exporter lose stands in the metrics at the next scrape."""
    stream = io.StringIO()
    telemetry = Telemetry.start(TelemetrySettings(otlp_endpoint=receiver.endpoint), stream=stream)
    with telemetry.around_submit([request()]):
        pass
    stream.close()  # nobody can write there any more
    structlog.get_logger().info("lost")
    await telemetry.aclose()
    body, _ = await telemetry.metrics_endpoint(NoQueues())()

    assert 'penstock_telemetry_dropped_total{signal="logs",reason="stream_failed"} 1\n' in body.decode()
    assert "penstock_telemetry_spans_exported_total 1\n" in body.decode()


def test_a_spans_file_that_cannot_be_is_refused(tmp_path: Path) -> None:
    """The error names the file, and the logs are given back."""
    handlers = list(logging.root.handlers)
    settings = TelemetrySettings(spans_file=str(tmp_path / "missing" / "spans.jsonl"))
    with pytest.raises(ConfigurationError, match="missing"):
        Telemetry.start(settings, stream=io.StringIO())

    assert handlers == logging.root.handlers
