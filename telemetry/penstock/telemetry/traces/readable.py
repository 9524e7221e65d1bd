"""Our spans as the SDK's processors and exporters know them."""

from collections.abc import Iterable
from typing import Any, TypeVar

from opentelemetry.attributes import BoundedAttributes
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.util import BoundedList
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import Link, SpanContext, TraceFlags, TraceState

from penstock.telemetry.traces.attributes import MESSAGING_MESSAGE_ID
from penstock.telemetry.traces.otlp import SpanLink
from penstock.telemetry.traces.span import Span

_Counted = TypeVar("_Counted", BoundedAttributes, "BoundedList[Any]")


def to_readable(span: Span, resource: Resource, scope: InstrumentationScope) -> ReadableSpan:
    """`span`, which has ended, with all it says and how much was left out."""
    context = span.get_span_context()
    parent = None
    if span.parent_id is not None:
        parent = SpanContext(
            context.trace_id,
            int(span.parent_id, 16),
            span.remote,
            context.trace_flags,
            context.trace_state,
        )
    lost_attributes, lost_events, lost_links = span.lost
    return ReadableSpan(
        span.sort.name,
        context=context,
        parent=parent,
        resource=resource,
        attributes=_counted(BoundedAttributes(attributes=span.attributes), lost_attributes),
        events=_counted(_list(span.events), lost_events),
        links=_counted(_list(map(_to_link, span.links)), lost_links),
        kind=span.sort.kind,
        status=span.status,
        start_time=span.started,
        end_time=span.ended,
        instrumentation_scope=scope,
    )


def _list(items: Iterable[Any]) -> "BoundedList[Any]":
    return BoundedList.from_seq(None, items)


def _counted(items: _Counted, lost: int) -> _Counted:
    """The SDK counts in the container what it has left out of it."""
    items.dropped = lost
    return items


def _to_link(link: SpanLink) -> Link:
    state = TraceState.from_header([link.trace_state]) if link.trace_state else None
    trace_id, span_id = int(link.trace_id, 16), int(link.span_id, 16)
    attributes = link.attributes
    if link.message_id is not None:
        attributes = {MESSAGING_MESSAGE_ID: link.message_id, **(attributes or {})}
    return Link(SpanContext(trace_id, span_id, link.remote, TraceFlags(link.flags), state), attributes)
