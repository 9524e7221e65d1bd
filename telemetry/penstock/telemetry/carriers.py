"""W3C Trace Context (Level 1) in headers: what travels in a job's record and over HTTP.

Only `traceparent` and `tracestate` travel. Baggage does not: it would be stored with every job and
handed on to third parties.
"""

import re
from collections.abc import Mapping

from opentelemetry.trace import SpanContext, TraceFlags, TraceState

TRACEPARENT = "traceparent"
TRACESTATE = "tracestate"

_TRACEPARENT = re.compile(r"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?", re.ASCII)
_MAX_TRACEPARENT = 512  # characters; version 00 has 55, later ones may be longer
_MAX_TRACESTATE = 512  # §3.3.1.5: vendors should propagate at least that much


def format_traceparent(span: SpanContext) -> str:
    """Write a span as `traceparent` (§3.2); also the form of `traceresponse` in the Level 2 draft."""
    return f"00-{span.trace_id:032x}-{span.span_id:016x}-{span.trace_flags:02x}"


def headers_of(span: SpanContext) -> dict[str, str]:
    """The headers that hand `span` on; none where tracing is disabled."""
    if not span.is_valid:
        return {}
    headers = {TRACEPARENT: format_traceparent(span)}
    if span.trace_state:
        headers[TRACESTATE] = span.trace_state.to_header()
    return headers


def parse_headers(headers: Mapping[str, str]) -> SpanContext | None:
    """Read the remote span that `headers` (lower-case names) hand on; None without a valid one (§3.2.2)."""
    traceparent = headers.get(TRACEPARENT, "").strip()
    if len(traceparent) > _MAX_TRACEPARENT:
        return None
    match = _TRACEPARENT.fullmatch(traceparent)
    if match is None:
        return None
    version, trace_id, span_id, flags, rest = match.groups()
    if version == "ff" or (version == "00" and rest is not None):
        return None
    span = SpanContext(
        trace_id=int(trace_id, 16),
        span_id=int(span_id, 16),
        is_remote=True,
        trace_flags=TraceFlags(int(flags, 16)),
        trace_state=_trace_state(headers.get(TRACESTATE, "")),
    )
    return span if span.is_valid else None


def _trace_state(header: str) -> TraceState | None:
    if not header or len(header) > _MAX_TRACESTATE:
        return None
    return TraceState.from_header([header])
