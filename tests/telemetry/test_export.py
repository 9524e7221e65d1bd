"""Where spans go, on real sockets and files, and what it costs when nobody takes them."""

import json
import socket
from pathlib import Path

import msgspec
import pytest
import trio
from opentelemetry.sdk.trace.export import SpanExporter

from penstock.engine.outcome import Succeeded
from penstock.telemetry.export import CountedExporter, start_export
from penstock.telemetry.traces import Tracing
from support.otlp_receiver import otlp_receiver
from telemetry.rig import attempt, request

SOON = 5.0  # seconds; a bound, not a wait


def make_spans(tracing: Tracing) -> str:
    """Spans of one submission and one attempt; their trace id."""
    with tracing.around_submit([request()]) as headers:
        pass
    this = attempt(headers=dict(headers))
    with tracing.around_attempt(this):
        this.outcome = Succeeded(msgspec.Raw(b"\xc0"))
    return headers["traceparent"].split("-")[1]


@pytest.fixture(autouse=True)
def no_settings_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    """The machine's own OTEL_ variables do not count here."""
    for name in ("ENDPOINT", "TRACES_ENDPOINT"):
        monkeypatch.delenv(f"OTEL_EXPORTER_OTLP_{name}", raising=False)
    for name in ("OTEL_TRACES_EXPORTER", "OTEL_SERVICE_NAME", "OTEL_RESOURCE_ATTRIBUTES"):
        monkeypatch.delenv(name, raising=False)


async def test_spans_arrive_at_a_collector() -> None:
    """Decoded from what was sent: one trace, three spans, the service's name."""
    with otlp_receiver() as receiver:
        export = start_export("demo", receiver.endpoint)
        trace_id = make_spans(Tracing(export.provider))
        assert await export.aclose(SOON)

        assert [span.name for span in receiver.spans] == ["enqueue media", "wait media", "process media"]
        assert {trace_id} == {span.trace_id.hex() for span in receiver.spans}
        enqueue, wait, process = receiver.spans
        assert enqueue.span_id == wait.parent_span_id == process.parent_span_id
        assert (enqueue.kind, process.kind) == (enqueue.SPAN_KIND_PRODUCER, process.SPAN_KIND_CONSUMER)
        assert {"/v1/traces"} == set(receiver.paths)
        assert receiver.resource["service.name"] == "demo"
        assert "service.version" in receiver.resource
    assert export.collector is not None
    assert (export.collector.exported, export.collector.failed) == (3, 0)


async def test_the_environment_is_honoured(monkeypatch: pytest.MonkeyPatch) -> None:
    """Endpoint, service name and resource attributes as everywhere else."""
    with otlp_receiver() as receiver:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", receiver.endpoint)
        monkeypatch.setenv("OTEL_SERVICE_NAME", "named by the environment")
        monkeypatch.setenv("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment.name=test")
        export = start_export("demo")
        make_spans(Tracing(export.provider))
        assert await export.aclose(SOON)

        assert len(receiver.spans) == 3
        assert receiver.resource["service.name"] == "named by the environment"
        assert receiver.resource["deployment.environment.name"] == "test"


@pytest.mark.parametrize(
    "settings",
    [{}, {"OTEL_TRACES_EXPORTER": "none", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9"}],
)
async def test_without_a_collector_nothing_is_sent(settings: dict[str, str]) -> None:
    """Spans have their ids all the same."""
    export = start_export("demo", environ=settings)

    assert export.collector is None
    assert int(make_spans(Tracing(export.provider)), 16)
    assert await export.aclose(SOON)


async def test_an_unsampled_trace_is_not_exported(monkeypatch: pytest.MonkeyPatch) -> None:
    """OTEL_TRACES_SAMPLER decides; the ids are made and handed on."""
    monkeypatch.setenv("OTEL_TRACES_SAMPLER", "always_off")
    with otlp_receiver() as receiver:
        export = start_export("demo", receiver.endpoint)
        assert int(make_spans(Tracing(export.provider)), 16)
        assert await export.aclose(SOON)

        assert receiver.spans == []


async def test_spans_can_be_written_to_a_file(tmp_path: Path) -> None:
    """JSON lines with ids in hex and times in nanoseconds; a second process may append to the same file."""
    path = tmp_path / "spans.jsonl"
    trace_id = ""
    for _ in range(2):
        export = start_export("demo", spans_file=str(path))
        trace_id = make_spans(Tracing(export.provider))
        assert await export.aclose(SOON)

    spans = [json.loads(line) for line in path.read_text().splitlines()]
    assert len(spans) == 6
    enqueue, wait, process = spans[3:]
    assert (trace_id, enqueue["span_id"]) == (process["trace_id"], process["parent_id"])
    assert tuple(process[key] for key in ("name", "kind", "status")) == ("process media", "consumer", "unset")
    assert process["attributes"]["messaging.message.id"] == "media.1"
    assert wait["end"] == process["start"] <= process["end"]


async def test_a_dead_collector_costs_the_work_nothing() -> None:
    """Nobody listens: spans are made, lost and counted, and the end is bounded."""
    with socket.socket() as unbound:
        unbound.bind(("127.0.0.1", 0))  # bound but not listening: connections are refused
        export = start_export("demo", f"http://127.0.0.1:{unbound.getsockname()[1]}")
        make_spans(Tracing(export.provider))
        with trio.fail_after(SOON):
            assert not await export.aclose(0.05)


async def test_a_collector_that_hangs_does_not_hold_the_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    """While spans are handed over the loop goes on; after the given time they are given up."""
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "1")  # so that the thread is soon gone
    with socket.create_server(("127.0.0.1", 0)) as silent:  # accepts, and never answers
        export = start_export("demo", f"http://127.0.0.1:{silent.getsockname()[1]}")
        make_spans(Tracing(export.provider))
        turns = 0

        async def others() -> None:
            nonlocal turns
            while True:
                await trio.lowlevel.checkpoint()
                turns += 1

        with trio.fail_after(SOON):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(others)
                assert not await export.aclose(0.1)
                nursery.cancel_scope.cancel()
        assert turns > 10


async def test_spans_are_handed_over_even_when_cancelled() -> None:
    """Shutting down is often being cancelled; the hand-over is bounded instead."""
    with otlp_receiver() as receiver:
        export = start_export("demo", receiver.endpoint)
        make_spans(Tracing(export.provider))
        with trio.CancelScope() as scope:
            scope.cancel()
            assert await export.aclose(SOON)

        assert len(receiver.spans) == 3


async def test_refused_spans_are_counted_as_lost() -> None:
    """A collector that answers, but will not take them; and being shut down twice is no trouble."""
    with otlp_receiver() as receiver:
        receiver.answer = 400
        export = start_export("demo", receiver.endpoint)
        make_spans(Tracing(export.provider))
        assert await export.aclose(SOON)

    assert export.collector is not None
    assert (export.collector.exported, export.collector.failed) == (0, 3)


def test_an_exporter_may_be_shut_down_twice() -> None:
    """Once when the time is up, and once more by the thread that was left behind."""
    shut: list[str] = []

    class Exporter(SpanExporter):
        def shutdown(self) -> None:
            shut.append("down")

    exporter = CountedExporter(Exporter())
    exporter.shutdown()
    exporter.shutdown()

    assert shut == ["down"]
