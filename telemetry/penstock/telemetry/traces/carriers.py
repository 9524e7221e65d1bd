"""W3C Trace Context (Level 1) in headers: what travels in a job's record and over HTTP.

Only `traceparent` and `tracestate` travel. Baggage does not: it would be stored with every job and
handed on to third parties. Jobs of a batch, and of a schedule, carry `link` beside them, a word of our own
(`traces/rule.py`).
"""

import re
from collections.abc import Mapping

import msgspec
from opentelemetry.trace import TraceState

from penstock.telemetry.traces.otlp import SpanLink

TRACEPARENT = "traceparent"
TRACESTATE = "tracestate"
LINK = "link"

_TRACEPARENT = re.compile(
    # Version 00 ends here, later ones may have more; ff is none.
    r"(?:00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}|(?!00|ff)[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}(?:-.*)?)",
    re.ASCII,
)
is_traceparent = re.compile(r"00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}", re.ASCII).fullmatch
"""Whether a `traceparent` is a valid one of version 00, as nearly all are."""
_LENGTH = 55
_MAX_TRACEPARENT = 512  # characters; version 00 has 55, later ones may be longer
_MAX_TRACESTATE = 512  # §3.3.1.5: vendors should propagate at least that much
_NO_TRACE = "0" * 32
_NO_SPAN = "0" * 16


class Remote(msgspec.Struct, frozen=True, gc=False):
    """A span of another process; the ids are hex."""

    trace_id: str
    span_id: str
    flags: int
    trace_state: str = ""

    def link(self) -> SpanLink:
        """A link to it."""
        return SpanLink(self.trace_id, self.span_id, self.flags, self.trace_state)


def parse_traceparent(header: str) -> Remote | None:
    """Read a `traceparent`; None where it is not valid (§3.2.2)."""
    if len(header) != _LENGTH:  # with spaces around it (RFC 9110, §5.5), or of a later version
        header = header.strip()
    if len(header) > _MAX_TRACEPARENT or _TRACEPARENT.fullmatch(header) is None:
        return None
    trace_id, span_id = header[3:35], header[36:52]
    if trace_id == _NO_TRACE or span_id == _NO_SPAN:
        return None
    return Remote(trace_id, span_id, int(header[53:55], 16))


def parse_headers(headers: Mapping[str, str]) -> Remote | None:
    """Read the remote span that `headers` (lower-case names) hand on; None without a valid one."""
    remote = parse_traceparent(headers.get(TRACEPARENT, ""))
    if remote is not None and TRACESTATE in headers:
        state = headers[TRACESTATE]
        if len(state) <= _MAX_TRACESTATE:
            # Through OpenTelemetry's parser, which takes what is malformed in one place for malformed.
            said = TraceState.from_header([state]).to_header()
            return Remote(remote.trace_id, remote.span_id, remote.flags, said)
    return remote
