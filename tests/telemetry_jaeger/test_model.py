"""What a span is on the other side, decoded from the bytes of both protocols."""

from collections.abc import Callable

import pytest
from opentelemetry.attributes import BoundedAttributes
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import Event, ReadableSpan
from opentelemetry.sdk.trace.export import SpanExportResult
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import Link, SpanContext, SpanKind, Status, StatusCode, TraceFlags

from telemetry_jaeger.rig import TRACE, agent, collector, context, exporter, span
from telemetry_jaeger.wire import Batch


def over_udp(*spans: ReadableSpan) -> Batch:
    """What one datagram brought."""
    with agent() as receiver:
        sending = exporter(AGENT_HOST="127.0.0.1", AGENT_PORT=receiver.port)
        assert sending.export(spans) is SpanExportResult.SUCCESS
        (batch,) = receiver.batches()
    return batch


def over_http(*spans: ReadableSpan) -> Batch:
    """What one post brought."""
    with collector() as receiver:
        assert exporter(ENDPOINT=receiver.endpoint).export(spans) is SpanExportResult.SUCCESS
        (batch,) = receiver.batches
    return batch


both = pytest.mark.parametrize("send", [over_udp, over_http])
Send = Callable[..., Batch]


@both
def test_a_failed_attempt_arrives_whole(send: Send) -> None:
    """Ids, times, kind, status, `error.type`, values of every type, events and links."""
    attempt = span(
        0xF000_0000_0000_0001,
        parent=context(0xF000_0000_0000_0002),
        kind=SpanKind.CONSUMER,
        status=Status(StatusCode.ERROR, "the disk is full"),
        attributes={
            "error.type": "OSError",
            "messaging.system": "penstock",
            "penstock.attempt": 3,
            "penstock.least": -(2**63),
            "penstock.seconds": 0.25,
            "penstock.kept": False,
            "penstock.durable": True,
            "text": "naïve ✓ 😀",
            "queues": ("media", "mail"),
        },
        events=(Event("checkpoint", BoundedAttributes(None, {"page": 7}), 1_700_000_000_100_000_000),),
        links=(Link(context(0x8000_0000_0000_0003)), Link(context(4, trace_id=5))),
        instrumentation_scope=InstrumentationScope("penstock", "0.1"),
    )

    (found,) = send(attempt).spans

    assert (found.trace_id, found.span_id) == (TRACE, 0xF000_0000_0000_0001)
    assert (found.parent_id, found.name, found.flags) == (0xF000_0000_0000_0002, "process media", 1)
    assert (found.start, found.duration) == (1_700_000_000_000_000, 250_000)
    assert (
        found.tags.items()
        >= {
            "error": True,
            "error.type": "OSError",
            "otel.status_code": "ERROR",
            "otel.status_description": "the disk is full",
            "span.kind": "consumer",
            "messaging.system": "penstock",
            "penstock.attempt": 3,
            "penstock.least": -(2**63),
            "penstock.seconds": 0.25,
            "penstock.kept": False,
            "penstock.durable": True,
            "text": "naïve ✓ 😀",
            "queues": "('media', 'mail')",
            "otel.scope.name": "penstock",
            "service.name": "demo",
        }.items()
    )
    assert found.references == [(1, TRACE, 0x8000_0000_0000_0003), (1, 5, 4)]
    assert found.logs == [(1_700_000_000_100_000, {"message": "checkpoint", "page": 7})]


@both
def test_a_plain_span_says_no_more_than_it_is(send: Send) -> None:
    """Success leaves the status unset; no parent, no link, no event."""
    (found,) = send(span()).spans

    assert (found.parent_id, found.references, found.logs) == (0, [], [])
    assert not {"error", "otel.status_code"} & set(found.tags)


@both
def test_a_trace_id_said_to_be_random_is_not_taken_for_debugging(send: Send) -> None:
    """Jaeger keeps what its second flag marks, whatever is sampled; W3C has another meaning there."""
    marked = SpanContext(TRACE, 1, is_remote=False, trace_flags=TraceFlags(3))

    assert send(span(context=marked)).spans[0].flags == 1


@both
def test_spans_keep_their_order(send: Send) -> None:
    """Twenty are more than a list's short form holds."""
    found = send(*(span(number) for number in range(1, 21))).spans

    assert [one.span_id for one in found] == list(range(1, 21))


@both
def test_the_service_is_the_resources_or_the_one_that_was_given(send: Send) -> None:
    """`OTEL_SERVICE_NAME` is in the resource, and so it wins."""
    assert send(span()).service == "demo"
    assert send(span(resource=Resource({"host.name": "a"}))).service == "fallback"
