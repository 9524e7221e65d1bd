"""The way out: whatever takes spans of the SDK takes ours, and what it does wrong costs nobody a job."""

import io
import json
import threading
from collections.abc import Sequence

import pytest
import structlog
from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor
from opentelemetry.sdk.trace.export import (
    BatchSpanProcessor,
    ConsoleSpanExporter,
    SimpleSpanProcessor,
    SpanExporter,
    SpanExportResult,
)
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanContext, StatusCode

from penstock.telemetry.export.otlp_settings import OtlpSettings
from penstock.telemetry.export.outlets import OtlpOutlet, ReadableOutlet
from penstock.telemetry.export.thread import Limits
from penstock.telemetry.traces.provider import SCOPE, Provider
from penstock.telemetry.traces.span import SAMPLED, Span, new_trace_id
from support.otlp_receiver import otlp_receiver
from telemetry.spans import RESOURCE, SORT

SOON = 5.0  # seconds; a bound, not a wait
LIMITS = Limits(delay=0.01)


def root(provider: Provider, flags: int = SAMPLED) -> Span:
    """A span of ours that leaves by `provider`."""
    return Span(provider, SORT, new_trace_id(), None, flags)


def finish(provider: Provider) -> Span:
    """A span of ours, with something on it, and one of the SDK's below it, both ended."""
    ours = root(provider)
    with trace.use_span(ours):
        theirs = provider.get_tracer("library").start_span("theirs")
    theirs.end()
    ours.add_event("event", {"a": 1})
    ours.add_link(SpanContext(1, 2, True), {"b": (1, 2)})
    ours.set_attribute("c", b"\x01")
    ours.set_status(StatusCode.ERROR, "why")
    ours.end()
    return ours


@pytest.mark.parametrize("kind", [SimpleSpanProcessor, BatchSpanProcessor])
def test_processors_of_the_sdk_see_both_kinds(kind: type[SimpleSpanProcessor | BatchSpanProcessor]) -> None:
    """As one trace, with one resource."""
    provider = Provider(RESOURCE)
    exporter = InMemorySpanExporter()
    provider.add_span_processor(kind(exporter))
    ours = finish(provider)
    assert provider.force_flush()
    provider.shutdown()

    child, parent = exporter.get_finished_spans()
    assert (child.name, parent.name) == ("theirs", "process media")
    assert child.parent == parent.context == ours.get_span_context()
    assert child.resource == parent.resource == RESOURCE
    assert parent.instrumentation_scope == SCOPE


def test_the_console_exporter_prints_ours() -> None:
    """It encodes what is on a span to JSON."""
    provider = Provider(RESOURCE)
    out = io.StringIO()
    provider.add_span_processor(
        SimpleSpanProcessor(ConsoleSpanExporter(out=out, formatter=lambda s: s.to_json(None) + "\n"))
    )
    span = root(provider)
    span.add_event("event", {"a": 1})
    span.add_link(SpanContext(1, 2, True), {"b": (1, 2)})
    span.end()

    printed = json.loads(out.getvalue())
    assert printed["context"]["span_id"] == f"0x{span.span_id}"
    assert printed["attributes"] == dict(SORT.attributes)
    assert (printed["events"][0]["name"], printed["links"][0]["attributes"]) == ("event", {"b": [1, 2]})


def test_unsampled_spans_are_shown_to_nobody() -> None:
    """Neither ours nor the SDK's below them."""
    provider = Provider(RESOURCE)
    exporter = InMemorySpanExporter()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    with trace.use_span(root(provider, flags=0), end_on_exit=True):
        provider.get_tracer("library").start_span("theirs").end()

    assert exporter.get_finished_spans() == ()


class Raising(SpanProcessor):
    """A processor with a defect, in what it does with ours."""

    def __init__(self) -> None:
        self.asked = 0

    def on_end(self, span: ReadableSpan) -> None:
        self.asked += 1
        raise RuntimeError("a defect")


def test_a_processor_that_raises_is_told_once_and_dropped() -> None:
    """The job goes on, and the others see every span."""
    provider = Provider(RESOURCE)
    broken, exporter = Raising(), InMemorySpanExporter()
    provider.add_span_processor(broken)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    with structlog.testing.capture_logs() as lines:
        root(provider).end()
        root(provider).end()

    assert broken.asked == 1
    assert len(exporter.get_finished_spans()) == 2
    assert [(line["event"], line["processor"]) for line in lines] == [("span_processor_failed", "Raising")]


def test_limits_are_the_environments(monkeypatch: pytest.MonkeyPatch) -> None:
    """OTEL_SPAN_*_LIMIT hold for ours as for the SDK's."""
    monkeypatch.setenv("OTEL_SPAN_EVENT_COUNT_LIMIT", "2")
    provider = Provider(RESOURCE)
    exporter = InMemorySpanExporter()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    for span in (root(provider), provider.get_tracer("library").start_span("theirs")):
        for _ in range(3):
            span.add_event("event")
        span.end()

    assert [(len(span.events), span.dropped_events) for span in exporter.get_finished_spans()] == [
        (2, 1),
        (2, 1),
    ]


def test_an_outlet_takes_both_kinds_to_a_collector() -> None:
    """Ours encoded where they end, the SDK's by its own encoder; `force_flush` waits for both."""
    with otlp_receiver() as receiver:
        outlet = OtlpOutlet(OtlpSettings(endpoint=f"{receiver.endpoint}/v1/traces"), RESOURCE, LIMITS)
        provider = Provider(RESOURCE)
        provider.add_outlet(outlet)
        finish(provider)
        assert provider.force_flush(int(SOON * 1000))

        assert sorted(span.name for span in receiver.spans) == ["process media", "theirs"]
        assert outlet.thread.taken == 2
        assert outlet.thread.close(SOON)


def test_a_span_that_cannot_be_encoded_is_counted() -> None:
    """A handler gave it an end that is no time; the handler goes on."""
    with otlp_receiver() as receiver:
        outlet = OtlpOutlet(OtlpSettings(endpoint=f"{receiver.endpoint}/v1/traces"), RESOURCE, LIMITS)
        provider = Provider(RESOURCE)
        provider.add_outlet(outlet)
        root(provider).end(1.5)  # type: ignore[arg-type]
        root(provider).end()
        assert outlet.thread.close(SOON)

        assert len(receiver.spans) == 1
    assert dict(outlet.thread.dropped) == {"unencodable": 1}


class Exporter(SpanExporter):
    """An exporter as users write them."""

    def __init__(self, result: SpanExportResult | Exception = SpanExportResult.SUCCESS) -> None:
        self.result = result
        self.names: list[str] = []
        self.threads: set[str] = set()
        self.shut = threading.Event()

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        self.threads.add(threading.current_thread().name)
        self.names += [span.name for span in spans]
        if isinstance(self.result, Exception):
            raise self.result
        return self.result

    def shutdown(self) -> None:
        self.shut.set()


def test_any_exporter_takes_both_kinds_in_the_thread() -> None:
    """Never in whoever made the spans; it is shut down at the end."""
    exporter = Exporter()
    outlet = ReadableOutlet(exporter, RESOURCE, LIMITS)
    provider = Provider(RESOURCE)
    provider.add_outlet(outlet)
    finish(provider)
    assert outlet.thread.close(SOON)

    assert sorted(exporter.names) == ["process media", "theirs"]
    assert exporter.threads == {"penstock-span-exporter"}
    assert exporter.shut.is_set()
    assert (outlet.thread.taken, dict(outlet.thread.dropped)) == (2, {})


@pytest.mark.parametrize(
    ("result", "reason"),
    [(SpanExportResult.FAILURE, "rejected"), (RuntimeError("a defect"), "exporter_failed")],
)
def test_what_an_exporter_loses_is_counted(result: SpanExportResult | Exception, reason: str) -> None:
    """It fails or raises; it is not asked again, because it tries again itself."""
    exporter = Exporter(result)
    outlet = ReadableOutlet(exporter, RESOURCE, Limits(batch=2, delay=SOON))
    provider = Provider(RESOURCE)
    provider.add_outlet(outlet)
    finish(provider)
    assert outlet.flush(SOON)

    assert (len(exporter.names), dict(outlet.thread.dropped)) == (2, {reason: 2})
    assert outlet.thread.close(SOON)
