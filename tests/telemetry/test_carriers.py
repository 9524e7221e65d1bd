"""W3C Trace Context, read strictly and written canonically."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from penstock.telemetry.traces.carriers import parse_headers

TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"


@given(st.integers(1, 2**128 - 1), st.integers(1, 2**64 - 1), st.integers(0, 255))
def test_what_is_written_reads_back(trace_id: int, span_id: int, flags: int) -> None:
    """Ids and flags survive, and the SDK's own propagator agrees."""
    headers = {"traceparent": f"00-{trace_id:032x}-{span_id:016x}-{flags:02x}"}
    read = parse_headers(headers)

    assert read is not None
    assert (trace_id, span_id, flags) == (int(read.trace_id, 16), int(read.span_id, 16), read.flags)
    [sdk] = TraceContextTextMapPropagator().extract(headers).values()
    theirs = sdk.get_span_context()  # type: ignore[attr-defined]
    assert (trace_id, span_id, flags) == (theirs.trace_id, theirs.span_id, theirs.trace_flags)


def test_the_state_of_vendors_travels_too() -> None:
    """`tracestate` is handed on as it came; a malformed one is as none, and the trace goes on."""
    for state, read_back in (("vendor=1,other=2", "vendor=1,other=2"), ("vendor=1,=3", "")):
        read = parse_headers({"traceparent": f"00-{TRACE}-{SPAN}-01", "tracestate": state})

        assert read is not None
        assert read.trace_state == read_back


@pytest.mark.parametrize(
    "traceparent",
    [
        "",
        "garbage",
        f"00-{TRACE}-{SPAN}",
        f"00-{TRACE.upper()}-{SPAN}-01",
        f"00-{'0' * 32}-{SPAN}-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"00-{TRACE}-{SPAN}-01-more",
        f"ff-{TRACE}-{SPAN}-01",
        f"cc-{TRACE}-{SPAN}-01.more",
        f"cc-{TRACE}-{SPAN}-01-{'x' * 600}",
        f"00-{TRACE}-{SPAN}-01\n00-{TRACE}-{SPAN}-01",
    ],
)
def test_an_invalid_traceparent_is_as_none(traceparent: str) -> None:
    """§3.2.2: it is ignored, and a new trace begins."""
    assert parse_headers({"traceparent": traceparent}) is None


def test_a_later_version_may_say_more() -> None:
    """§3.2.4: the known fields are read, the rest is left."""
    read = parse_headers({"traceparent": f" cc-{TRACE}-{SPAN}-01-what-the-future-brings "})

    assert read is not None
    assert (read.trace_id, read.span_id, read.flags) == (TRACE, SPAN, 1)


@given(st.text(), st.text())
def test_nothing_in_headers_can_raise(traceparent: str, tracestate: str) -> None:
    """They come from outside."""
    parse_headers({"traceparent": traceparent, "tracestate": tracestate})
    parse_headers({"traceparent": f"00-{TRACE}-{SPAN}-01", "tracestate": tracestate})
