"""The bytes that leave, decoded with OpenTelemetry's own classes, say what its own encoder would say."""

import enum
import math
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1 import trace_pb2
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import SpanContext, SpanKind, StatusCode, TraceFlags, TraceState

from penstock.telemetry.traces.attributes import MESSAGING_MESSAGE_ID
from penstock.telemetry.traces.otlp import Envelope, SpanLink, varint
from penstock.telemetry.traces.provider import SCOPE
from penstock.telemetry.traces.sort import Sort
from penstock.telemetry.traces.span import RANDOM, SAMPLED, Span, new_span_id, new_trace_id
from telemetry.spans import RESOURCE, SORT, Kept, make_span, readable

W3C_FLAGS = 0xFF
"""The stock encoder leaves these bits of `flags` unset."""

unicode = st.characters(exclude_categories=["Cs"])
texts = st.text(unicode, max_size=10) | st.sampled_from(["x" * 126, "x" * 127, "x" * 128, "ä" * 5_000])
names = st.text(unicode, min_size=1, max_size=5) | st.just("long" * 40)
scalars = (
    st.booleans()
    | texts
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False)
    | st.binary(max_size=10)
    | st.none()
)
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(names, inner, max_size=2),
    max_leaves=3,
)
attributes = st.dictionaries(names, values, max_size=2)
times = st.integers(1, 2**64 - 1)
states = st.sampled_from(["", "vendor=1", "a=b,c@d=e f"])
contexts = st.builds(
    SpanContext,
    st.integers(1, 2**128 - 1),
    st.integers(1, 2**64 - 1),
    st.booleans(),
    st.integers(0, 3).map(TraceFlags),
    states.map(lambda state: TraceState.from_header([state])),
)


@st.composite
def spans(draw: st.DrawFn) -> Span:
    """Spans with everything that can be on one, ended."""
    sort = Sort(draw(texts), draw(st.sampled_from(SpanKind)), draw(attributes))
    parent = draw(st.none() | st.just(new_span_id()))
    span = Span(
        Kept(), sort, new_trace_id(), parent, SAMPLED | draw(st.sampled_from([0, RANDOM])), draw(times)
    )
    span.inherit(parent is not None and draw(st.booleans()), draw(states))
    # One byte of length, and more than that: 0x7F is where another byte is needed.
    span.message_id = draw(st.none() | texts | st.integers(80, 140).map("m".__mul__))
    for key, value in draw(attributes).items():
        span.note(key, value)
    span.set_attributes(draw(attributes))
    for name, told, when in draw(st.lists(st.tuples(texts, attributes, times), max_size=2)):
        span.add_event(name, told, when)
    span.refer_to(
        [SpanLink(new_trace_id(), new_span_id(), 1, draw(states)) for _ in range(draw(st.integers(0, 2)))]
    )
    for context, told in draw(st.lists(st.tuples(contexts, attributes), max_size=2)):
        span.add_link(context, told)
    span.set_status(draw(st.sampled_from(StatusCode)))
    if draw(st.booleans()):
        span.set_status(StatusCode.ERROR, draw(texts))
    span.end(draw(times))
    return span


def ours(span: Span) -> trace_pb2.Span:
    """What we send, decoded."""
    request = ExportTraceServiceRequest.FromString(Envelope(RESOURCE, SCOPE).enclose([span.encode()]))
    decoded: trace_pb2.Span = request.resource_spans[0].scope_spans[0].spans[0]
    return decoded


def stock(span: ReadableSpan) -> trace_pb2.Span:
    """What OpenTelemetry's encoder sends."""
    decoded: trace_pb2.Span = encode_spans([span]).resource_spans[0].scope_spans[0].spans[0]
    if decoded.status == trace_pb2.Status():
        decoded.ClearField("status")  # an empty message, which says the same as none
    return decoded


def of_stock(decoded: trace_pb2.Span) -> trace_pb2.Span:
    """Without what the stock encoder leaves out: W3C flags, and the trace state of links."""
    copy = trace_pb2.Span()
    copy.CopyFrom(decoded)
    copy.flags &= ~W3C_FLAGS
    for link in copy.links:
        link.flags &= ~W3C_FLAGS
        link.ClearField("trace_state")
    return copy


def value_of(value: Any) -> Any:
    """One attribute, there and back."""
    span = make_span()
    span.note("key", value)
    span.end()
    [pair] = [pair for pair in ours(span).attributes if pair.key == "key"]
    return pair.value


@given(spans())
def test_a_span_says_what_the_stock_encoder_says(span: Span) -> None:
    """Whatever is on it: names, attributes of every type, events, links, status, parent, times."""
    assert of_stock(ours(span)) == stock(readable(span))


@settings(max_examples=25)
@given(spans())
def test_no_key_stands_twice(span: Span) -> None:
    """Though the sort, ourselves and the handler may all have set it."""
    keys = [pair.key for pair in ours(span).attributes]

    assert len(keys) == len(set(keys))
    assert set(keys) == set(span.attributes)


@pytest.mark.parametrize("key", ["messaging.system", MESSAGING_MESSAGE_ID, "noted"])
@pytest.mark.parametrize("how", ["note", "set_attribute"])
def test_what_is_set_anew_stands_once(key: str, how: str) -> None:
    """With its last value."""
    span = make_span()
    span.note("noted", "first")
    getattr(span, how)(key, "last")
    span.end()

    assert [pair.value.string_value for pair in ours(span).attributes if pair.key == key] == ["last"]


@settings(max_examples=25)
@given(spans())
def test_flags_are_w3cs(span: Span) -> None:
    """In the lowest byte, of the span and of its links (trace.proto, `flags`), with the links' state."""
    decoded = ours(span)

    assert decoded.flags & W3C_FLAGS == span.flags
    assert [(link.flags & W3C_FLAGS, link.trace_state) for link in decoded.links] == [
        (link.flags, link.trace_state) for link in span.links
    ]


@pytest.mark.parametrize("number", [0, 127, 128, 4_095, 4_096, 2**63 - 1, -1, -(2**63)])
def test_integers_come_back(number: int) -> None:
    """Of one byte, of several, and negative ones; a truth value is none."""
    assert value_of(number).int_value == number
    assert value_of(number).WhichOneof("value") == "int_value"
    assert value_of(bool(number)).bool_value is bool(number)


def test_a_number_beyond_64_bits_is_told_as_text() -> None:
    """OTLP has no room for it, and another number would be a lie."""
    assert value_of(2**63).string_value == str(2**63)
    assert value_of([-(2**64)]).array_value.values[0].string_value == str(-(2**64))


@pytest.mark.parametrize("number", [math.inf, -math.inf, -0.0, 1e308, 5e-324])
def test_floats_come_back(number: float) -> None:
    """To the bit, infinities too."""
    came = value_of(number).double_value
    assert (came, math.copysign(1, came)) == (number, math.copysign(1, number))


def test_nan_comes_back() -> None:
    """Not equal to itself, so not among the others."""
    assert math.isnan(value_of(math.nan).double_value)


def test_text_that_is_no_unicode_is_spelled_out() -> None:
    """Python makes lone surrogates of file names that it cannot decode; the stock encoder loses the span."""
    span = make_span(sort=Sort("name \udc80", SpanKind.INTERNAL, {"sort \udc80": "\udc80"}))
    span.message_id = "job \udc80"
    span.set_status(StatusCode.ERROR, "why \udc80")
    span.add_event("event \udc80", {"told": "\udc80"})
    span.end()

    decoded = ours(span)
    assert decoded.name == "name \\udc80"
    assert decoded.status.message == "why \\udc80"
    assert decoded.events[0].name == "event \\udc80"
    assert {pair.key: pair.value.string_value for pair in decoded.attributes} == {
        "sort \\udc80": "\\udc80",
        MESSAGING_MESSAGE_ID: "job \\udc80",
    }


class Colour(enum.StrEnum):
    RED = "red"


class Plain(str, enum.Enum):  # noqa: UP042 - whose `str` is another text than itself
    RED = "red"


@pytest.mark.parametrize("value", [Colour.RED, Plain.RED])
def test_an_enumeration_is_the_text_that_it_is(value: str) -> None:
    """As the stock encoder takes it, not as `str` would print it."""
    assert value_of(value).string_value == "red"


def test_an_object_is_its_text() -> None:
    """A type that OpenTelemetry does not know, inside a sequence too."""
    assert value_of(1j).string_value == "1j"
    assert value_of((1j,)).array_value.values[0].string_value == "1j"


def test_what_was_left_out_is_counted() -> None:
    """Attributes, events and links beyond the limits, on the span and on what is on it."""
    kept = Kept(
        max_span_attributes=1, max_events=1, max_links=1, max_event_attributes=1, max_link_attributes=1
    )
    span = make_span(kept)
    context = SpanContext(1, 2, True)
    for number in range(3):
        span.set_attribute(f"key {number}", number)
        span.add_event(f"event {number}", {"a": 1, "b": 2, "c": 3})
        span.add_link(context, {"a": 1, "b": 2})
    span.end()

    decoded = ours(span)
    assert (decoded.dropped_attributes_count, decoded.dropped_events_count, decoded.dropped_links_count) == (
        2,
        2,
        2,
    )
    assert decoded.events[0].dropped_attributes_count == 2
    assert decoded.links[0].dropped_attributes_count == 1
    assert of_stock(decoded) == stock(readable(span))


def test_the_envelope_is_the_stock_encoders() -> None:
    """Resource, scope and schemas around all spans of a request; nothing where there is none."""
    envelope = Envelope(RESOURCE, SCOPE)
    made = [make_span() for _ in range(3)]
    for span in made:
        span.end()
    request = ExportTraceServiceRequest.FromString(envelope.enclose([span.encode() for span in made]))
    expected = encode_spans([readable(span) for span in made])
    for encoded in (request, expected):
        del encoded.resource_spans[0].scope_spans[0].spans[:]

    assert request == expected
    assert envelope.enclose([]) == b""


def test_requests_may_be_joined() -> None:
    """As ours and the stock encoder's are: protobuf lists grow by being joined."""
    span = make_span()
    span.end()
    joined = Envelope(RESOURCE, InstrumentationScope("x")).enclose([span.encode()])
    joined += encode_spans([readable(span)]).SerializeToString()

    assert len(ExportTraceServiceRequest.FromString(joined).resource_spans) == 2


def test_large_spans_have_long_lengths() -> None:
    """Around the sizes where a length takes another byte."""
    for size in (*range(300), *range(3_700, 4_100), 20_000):
        span = make_span(sort=SORT)
        span.note("padding", "x" * size)
        span.end()
        assert of_stock(ours(span)) == stock(readable(span))


def test_message_ids_of_any_length() -> None:
    """The short way of encoding them ends where a length takes another byte."""
    for size in range(200):
        span = make_span()
        span.message_id = "m" * size
        span.end()
        assert of_stock(ours(span)) == stock(readable(span))


def test_made_up_keys_do_not_fill_the_memory() -> None:
    """The cache of encoded keys is bounded, and what was forgotten is encoded again."""
    from penstock.telemetry.traces.otlp import _MAX_KEYS, _keys

    for number in range(_MAX_KEYS + 10):
        value_of_key(f"made up {number}")
    assert len(_keys) <= _MAX_KEYS
    assert value_of_key("made up 0") == 1


def value_of_key(key: str) -> int:
    """An attribute under `key`, there and back."""
    span = make_span()
    span.note(key, 1)
    span.end()
    [pair] = [pair for pair in ours(span).attributes if pair.key == key]
    number: int = pair.value.int_value
    return number


def test_varint_is_protobufs() -> None:
    """Seven bits a byte, the lowest first."""
    assert varint(300) == b"\xac\x02"
    assert varint(1 << 14) == b"\x80\x80\x01"
