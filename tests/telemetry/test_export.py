"""Where spans go, on real sockets and files, and what it costs when nobody takes them."""

import json
import os
import socket
import threading
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import ClassVar
from unittest.mock import Mock

import msgspec
import pytest
import trio
from opentelemetry.sdk.trace import SpanProcessor
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

from penstock.engine.errors import ConfigurationError
from penstock.engine.outcome import Succeeded
from penstock.telemetry.export import start as export_module
from penstock.telemetry.export.start import start_export
from penstock.telemetry.traces.tracing import Tracing
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
    for name in [name for name in os.environ if name.startswith("OTEL_")]:
        monkeypatch.delenv(name)


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
    assert (export.taken, export.waiting, dict(export.dropped), export.lag) == (3, 0, {}, 0.0)


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

    assert int(make_spans(Tracing(export.provider)), 16)
    assert await export.aclose(SOON)
    assert (export.taken, export.waiting, dict(export.dropped)) == (0, 0, {})


async def test_where_telemetry_is_disabled_no_span_is_made() -> None:
    """OTEL_SDK_DISABLED wins over everything else."""
    environ = {"OTEL_SDK_DISABLED": " True ", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9"}
    export = start_export("demo", environ=environ)

    assert export.provider.disabled
    with Tracing(export.provider).around_submit([request()]) as headers:
        assert headers == {}
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
    assert export.taken == 0


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
        assert await export.aclose(SOON)

    assert (export.taken, dict(export.dropped)) == (0, {"rejected": 3})


class Slow(SpanProcessor):
    """A user's processor that takes its time to shut down."""

    def __init__(self) -> None:
        self.free = threading.Event()
        self.shut = threading.Event()

    def shutdown(self) -> None:
        self.free.wait(SOON)
        self.shut.set()


async def test_processors_of_users_are_shut_down_within_the_same_time() -> None:
    """Beside ours, not after them; one that takes longer is left behind."""
    export = start_export("demo")
    slow = Slow()
    export.provider.add_span_processor(slow)
    with trio.fail_after(SOON):
        assert not await export.aclose(0.05)

    slow.free.set()
    assert await trio.to_thread.run_sync(slow.shut.wait, SOON)


class Mine(SpanExporter):
    """An exporter of an installed package."""

    names: ClassVar[list[str]] = []

    def export(self, spans: object) -> SpanExportResult:
        self.names.extend(span.name for span in spans)  # type: ignore[attr-defined]
        return SpanExportResult.SUCCESS


def offer(monkeypatch: pytest.MonkeyPatch, exporter: object) -> None:
    """Have OpenTelemetry's entry point `mine` give `exporter`."""

    def entry_points(*, group: str, name: str) -> list[EntryPoint]:
        return (
            [EntryPoint("mine", "x:y", group)]
            if (group, name) == ("opentelemetry_traces_exporter", "mine")
            else []
        )

    monkeypatch.setattr(EntryPoint, "load", Mock(return_value=exporter))
    monkeypatch.setattr(export_module, "entry_points", entry_points)


async def test_any_exporter_that_is_installed_can_be_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """Several at once, each with a thread of its own, and each counted."""
    offer(monkeypatch, Mine)
    monkeypatch.setattr(Mine, "names", [])
    with otlp_receiver() as receiver:
        environ = {"OTEL_TRACES_EXPORTER": "mine, otlp, mine, none"}
        export = start_export("demo", receiver.endpoint, environ=environ)
        make_spans(Tracing(export.provider))
        assert await export.aclose(SOON)

        assert [span.name for span in receiver.spans] == Mine.names
    assert (len(Mine.names), export.taken) == (3, 6)


async def test_the_console_is_standard_error(capfd: pytest.CaptureFixture[str]) -> None:
    """Standard output is for whoever pipes it on."""
    export = start_export("demo", environ={"OTEL_TRACES_EXPORTER": "console"})
    make_spans(Tracing(export.provider))
    assert await export.aclose(SOON)

    out, err = capfd.readouterr()
    assert (out, err.count('"name": "process media"')) == ("", 1)


def broken() -> SpanExporter:
    raise RuntimeError("not today")


@pytest.mark.parametrize(
    ("environ", "said"),
    [
        ({"OTEL_TRACES_EXPORTER": "pigeon"}, "OTEL_TRACES_EXPORTER names 'pigeon'"),
        ({"OTEL_TRACES_EXPORTER": "mine"}, "OTEL_TRACES_EXPORTER=mine: not today"),
        ({"OTEL_TRACES_SAMPLER": "pigeon"}, "OTEL_TRACES_SAMPLER is 'pigeon'"),
        ({"OTEL_BSP_MAX_QUEUE_SIZE": "0"}, "OTEL_BSP_MAX_QUEUE_SIZE is '0'"),
        ({"OTEL_BSP_SCHEDULE_DELAY": "1s"}, "OTEL_BSP_SCHEDULE_DELAY is '1s'"),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "collector"}, "OTLP endpoint 'collector/v1/traces'"),
    ],
)
def test_what_cannot_be_is_said_before_any_thread_is_started(
    monkeypatch: pytest.MonkeyPatch, environ: dict[str, str], said: str
) -> None:
    """A command that ends with a wrong setting leaves nothing behind."""
    offer(monkeypatch, broken)
    before = threading.active_count()

    with pytest.raises(ConfigurationError, match=said):
        start_export("demo", environ=environ)
    assert threading.active_count() == before


def test_a_limit_of_spans_that_is_no_number_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    """The SDK reads these itself."""
    monkeypatch.setenv("OTEL_SPAN_EVENT_COUNT_LIMIT", "few")

    with pytest.raises(ConfigurationError, match="OTEL_SPAN_EVENT_COUNT_LIMIT"):
        start_export("demo")


async def test_the_buffer_is_as_large_as_told() -> None:
    """OTEL_BSP_MAX_QUEUE_SIZE; a batch is never larger than the buffer."""
    with otlp_receiver() as receiver:
        receiver.held = threading.Event()
        environ = {"OTEL_BSP_MAX_QUEUE_SIZE": "2", "OTEL_BSP_SCHEDULE_DELAY": "60000"}
        export = start_export("demo", receiver.endpoint, environ=environ)
        tracing = Tracing(export.provider)
        make_spans(tracing)  # three: two leave at once, one waits
        assert await trio.to_thread.run_sync(receiver.wait_for_requests, 1, SOON)
        make_spans(tracing)

        assert dict(export.dropped) == {"queue_full": 2}
        assert export.waiting == 4
        receiver.held.set()
        assert await export.aclose(SOON)
        assert export.taken == len(receiver.spans) == 4
