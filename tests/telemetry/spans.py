"""What the tests of spans share: a span like a job's, and where finished ones are kept."""

from typing import Any

from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, SpanLimits
from opentelemetry.trace import SpanKind

from penstock.telemetry.traces.provider import SCOPE
from penstock.telemetry.traces.readable import to_readable
from penstock.telemetry.traces.sort import Sort
from penstock.telemetry.traces.span import SAMPLED, Span, new_span_id, new_trace_id

RESOURCE = Resource({"service.name": "demo", "service.version": "1"}, "https://example.org/schema")
SORT = Sort("process media", SpanKind.CONSUMER, {"messaging.system": "penstock", "attempt": 1})


class Kept:
    """Takes finished spans."""

    def __init__(self, **limits: Any) -> None:
        self.limits = SpanLimits(**limits)
        self.spans: list[Span] = []

    def finish(self, span: Span) -> None:
        self.spans.append(span)


def make_span(kept: Kept | None = None, sort: Sort = SORT, flags: int = SAMPLED) -> Span:
    """A span below one of another process, for the job `media.1`."""
    span = Span(kept or Kept(), sort, new_trace_id(), new_span_id(), flags)
    span.inherit(True, "")
    span.message_id = "media.1"
    return span


def readable(span: Span) -> ReadableSpan:
    """`span` as the SDK's exporters see it."""
    return to_readable(span, RESOURCE, SCOPE)
