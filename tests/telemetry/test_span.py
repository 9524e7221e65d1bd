"""Our spans beside the SDK's: what OpenTelemetry's interface promises, whoever uses it."""

import random
import subprocess
import sys
from collections.abc import Callable

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan, SpanLimits, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanContext, SpanKind, Status, StatusCode, TraceFlags, TraceState, use_span

from penstock.telemetry.traces.attributes import MESSAGING_MESSAGE_ID
from penstock.telemetry.traces.otlp import SpanLink
from penstock.telemetry.traces.sort import Sort
from penstock.telemetry.traces.span import SAMPLED, Span, new_span_id, new_trace_id
from telemetry.spans import SORT, Kept, make_span, readable

ELSEWHERE = SpanContext(7, 8, True, TraceFlags(1), TraceState([("a", "b")]))


def twins(use: Callable[[trace.Span], None], **limits: int) -> tuple[ReadableSpan, ReadableSpan]:
    """What becomes of the same use of our span and of the SDK's."""
    ours = make_span(Kept(**limits), Sort("work", SpanKind.INTERNAL, {}))
    ours.message_id = None
    use(ours)
    ours.end()
    exporter = InMemorySpanExporter()
    provider = TracerProvider(span_limits=SpanLimits(**limits))
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    theirs = provider.get_tracer("theirs").start_span("work")
    use(theirs)
    theirs.end()
    [finished] = exporter.get_finished_spans()
    return readable(ours), finished


def told(span: ReadableSpan) -> dict[str, object]:
    """What does not differ from run to run."""
    return {
        "name": span.name,
        "attributes": dict(span.attributes or {}),
        "events": [(event.name, event.timestamp, dict(event.attributes or {})) for event in span.events],
        "links": [(link.context, dict(link.attributes or {})) for link in span.links],
        "status": (span.status.status_code, span.status.description),
        "lost": (span.dropped_attributes, span.dropped_events, span.dropped_links),
    }


def many_attributes(span: trace.Span) -> None:
    span.set_attributes({"a": 1, "b": [True, False], "": "no key", "none": None})
    span.set_attribute("object", 1j)  # type: ignore[arg-type]
    span.set_attribute("a", "anew")
    span.set_attribute("long", "x" * 20)


def many_events(span: trace.Span) -> None:
    for number in range(4):
        span.add_event(f"event {number}", {"a": 1, "b": 2, "c": "x" * 20}, number + 1)


def many_links(span: trace.Span) -> None:
    for number in range(4):
        span.add_link(SpanContext(number + 1, 8, False), {"a": 1, "b": 2, "c": "x" * 20})
    span.add_link(trace.INVALID_SPAN_CONTEXT)
    span.add_link(ELSEWHERE)


def statuses(*given: tuple[Status | StatusCode, str | None]) -> Callable[[trace.Span], None]:
    def use(span: trace.Span) -> None:
        for status, description in given:
            span.set_status(status, description)

    return use


ERROR, OK, UNSET = StatusCode.ERROR, StatusCode.OK, StatusCode.UNSET
USES: dict[str, Callable[[trace.Span], None]] = {
    "attributes": many_attributes,
    "events": many_events,
    "links": many_links,
    "renamed": lambda span: span.update_name("renamed"),
    "error": statuses((ERROR, "why")),
    "the last error": statuses((ERROR, "first"), (Status(ERROR, "second"), None)),
    "ok is final": statuses((OK, None), (ERROR, "late")),
    "ok after error": statuses((ERROR, "first"), (OK, None)),
    "unset changes nothing": statuses((ERROR, "why"), (UNSET, None)),
    "ended twice": lambda span: (span.end(5), span.end(6), None)[2],
}


@pytest.mark.parametrize("use", USES.values(), ids=list(USES))
def test_a_span_does_what_the_sdks_does(use: Callable[[trace.Span], None]) -> None:
    """The same calls leave the same span."""
    ours, theirs = twins(use)

    assert told(ours) == told(theirs)


@pytest.mark.parametrize("use", [many_attributes, many_events, many_links])
def test_limits_are_the_sdks(use: Callable[[trace.Span], None]) -> None:
    """As many are kept, the same ones, cut to the same length, and as many counted as lost."""
    ours, theirs = twins(
        use,
        max_span_attributes=2,
        max_events=2,
        max_links=2,
        max_event_attributes=2,
        max_link_attributes=2,
        max_attribute_length=5,
    )

    assert told(ours) == told(theirs)
    assert ours.dropped_attributes + ours.dropped_events + ours.dropped_links > 0


def test_after_its_end_a_span_does_not_change() -> None:
    """Whatever is called; it is handed on once."""
    kept = Kept()
    span = make_span(kept)
    span.end(5)
    before = told(readable(span))
    span.set_attribute("late", 1)
    span.set_attributes({"later": 2})
    span.add_event("late")
    span.add_link(ELSEWHERE)
    span.record_exception(ValueError("late"))
    span.set_status(StatusCode.ERROR)
    span.update_name("late")
    span.end(6)

    assert told(readable(span)) == before
    assert (span.ended, kept.spans) == (5, [span])
    assert not span.is_recording()


def test_an_end_at_no_time_is_now() -> None:
    """Zero is when the epoch began, which nobody means; it would not count as an end."""
    kept = Kept()
    span = make_span(kept)
    span.end(0)
    span.end(0)

    assert span.ended >= span.started
    assert kept.spans == [span]


def test_an_unsampled_span_records_nothing() -> None:
    """It has ids, and is handed on to nobody."""
    kept = Kept()
    span = make_span(kept, flags=0)
    many_attributes(span)
    many_events(span)
    many_links(span)
    span.set_status(StatusCode.ERROR)
    span.update_name("other")
    span.end()

    assert not span.is_recording()
    assert (dict(span.attributes), list(span.events), list(span.links)) == (
        {**SORT.attributes, MESSAGING_MESSAGE_ID: "media.1"},
        [],
        [],
    )
    assert span.status.status_code is StatusCode.UNSET
    assert span.get_span_context().is_valid
    assert not span.get_span_context().trace_flags.sampled
    assert kept.spans == []


def test_a_span_can_be_kept_late() -> None:
    """Decided at its end: from then on it says that it is sampled."""
    kept = Kept()
    span = make_span(kept, flags=0)
    assert not span.get_span_context().trace_flags.sampled
    span.keep()
    span.end()

    assert span.get_span_context().trace_flags.sampled
    assert kept.spans == [span]


def test_spans_of_the_sdk_nest_below() -> None:
    """Any library's spans inside a block where ours is current, and ours is where it is looked for."""
    provider = TracerProvider()
    tracer = provider.get_tracer("library")
    span = make_span()
    span.inherit(True, "vendor=1")
    with use_span(span):
        assert trace.get_current_span() is span
        trace.get_current_span().set_attribute("set.by", "handler")
        child = tracer.start_span("child")

    assert isinstance(child, ReadableSpan)
    assert child.parent == span.get_span_context()
    assert child.context is not None
    assert f"{child.context.trace_id:032x}" == span.trace_id
    assert child.context.trace_state.to_header() == "vendor=1"
    assert span.attributes["set.by"] == "handler"


def test_spans_of_the_sdk_below_an_unsampled_one_are_not_recorded() -> None:
    """The decision is handed on."""
    with use_span(make_span(flags=0)):
        assert not TracerProvider().get_tracer("library").start_span("child").is_recording()


def test_use_span_puts_an_exception_on_it_and_ends_it() -> None:
    """The API's own block, as other libraries use it."""
    kept = Kept()
    with pytest.raises(ValueError, match="no"), use_span(make_span(kept), end_on_exit=True):
        raise ValueError("no")

    [span] = kept.spans
    assert (span.status.status_code, span.status.description) == (StatusCode.ERROR, "ValueError: no")
    assert [event.name for event in span.events] == ["exception"]


def test_a_span_is_a_context_manager() -> None:
    """It ends with the block, as the SDK's does with what ended it."""
    kept = Kept()
    with make_span(kept) as span:
        assert span.is_recording()
    with pytest.raises(ValueError, match="no"), make_span(kept):
        raise ValueError("no")

    good, bad = kept.spans
    assert good.status.status_code is StatusCode.UNSET
    assert (bad.status.status_code, bad.status.description) == (StatusCode.ERROR, "ValueError: no")
    assert [event.name for event in bad.events] == ["exception"]


class OfThisFile(Exception):
    """One that has a module."""


@pytest.mark.parametrize("error", [ValueError("no"), OfThisFile("no")])
def test_an_exception_is_recorded_without_its_traceback(error: Exception) -> None:
    """Type and message as in the SDK; what the caller adds wins; the traceback is in the log."""
    ours, theirs = twins(lambda span: span.record_exception(error, {"added": 1}, 5))
    [event], [expected] = ours.events, theirs.events
    wanted = dict(expected.attributes or {})
    del wanted["exception.stacktrace"], wanted["exception.escaped"]

    assert (event.name, event.timestamp, dict(event.attributes or {})) == ("exception", 5, wanted)


def test_the_context_says_who_it_is() -> None:
    """In OpenTelemetry's form and in W3C's."""
    span = make_span()
    span.inherit(True, "a=b,c=d")
    context = span.get_span_context()

    assert span.get_span_context() is context
    assert f"00-{context.trace_id:032x}-{context.span_id:016x}-01" == span.traceparent
    assert context.trace_state.to_header() == "a=b,c=d"
    assert context.is_valid
    assert not context.is_remote


def test_a_readable_span_knows_its_parent() -> None:
    """Which is of another process, or of this one; a root has none."""
    span = make_span()
    span.end()
    root = Span(Kept(), SORT, new_trace_id(), None, SAMPLED)
    root.end()

    parent = readable(span).parent
    assert parent is not None
    assert (f"{parent.span_id:016x}", parent.is_remote) == (span.parent_id, True)
    assert readable(root).parent is None


def test_links_of_two_spans_are_their_own() -> None:
    """Ours may share a list; what a handler adds to one is not on the other."""
    shared = [SpanLink(new_trace_id(), new_span_id())]
    one, other = make_span(), make_span()
    one.refer_to(shared)
    other.refer_to(shared)
    one.add_link(ELSEWHERE)

    assert [link.remote for link in one.links] == [True, True]
    assert list(other.links) == shared
    assert len(shared) == 1


def test_a_sort_with_one_more_attribute_is_made_once() -> None:
    """And looked up from then on."""
    sort = Sort("a", SpanKind.INTERNAL, {"x": 1})

    assert sort.having("y", "2") is sort.having("y", "2")
    assert sort.having("y", "2").attributes == {"x": 1, "y": "2"}
    assert sort.having("y", "3") is not sort.having("y", "2")


def test_ids_do_not_depend_on_a_handlers_seed() -> None:
    """A handler that seeds the common generator would have all traces be one."""
    random.seed(1)
    first = (new_trace_id(), new_span_id(), make_span().span_id)
    random.seed(1)

    assert (new_trace_id(), new_span_id(), make_span().span_id) != first
    assert [len(each) for each in first] == [32, 16, 16]


FORKING = """
import os
from penstock.telemetry.traces.span import new_trace_id
child = os.fork()
os.write(1, new_trace_id().encode())
if child:
    os.waitpid(child, 0)
"""


def test_a_forked_process_makes_ids_of_its_own() -> None:
    """Else parent and child would give the same ids from there on."""
    # In an interpreter of its own: one that has threads, as pytest's may, must not be forked.
    done = subprocess.run([sys.executable, "-c", FORKING], stdout=subprocess.PIPE, timeout=30, check=True)
    ids = done.stdout.decode()

    assert len(ids) == 64
    assert ids[:32] != ids[32:]
