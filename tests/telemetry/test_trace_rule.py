"""Which attempts go on in the trace of their submission, and which are traces of their own."""

from typing import Any

import msgspec
import pytest
from opentelemetry.sdk.trace import ReadableSpan

from penstock.engine.errors import ConfigurationError
from penstock.engine.outcome import Succeeded
from penstock.telemetry.traces.rule import TraceMode, TraceRule
from telemetry.rig import Rig, attempt, request

DONE = Succeeded(msgspec.Raw(b"\xc0"))
TRACE, SUBMISSION, BEFORE = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7", "b7ad6b7169203331"
PARENT = {"traceparent": f"00-{TRACE}-{SUBMISSION}-01"}


def spans_of(rig: Rig, headers: dict[str, str] = PARENT, **fields: Any) -> dict[str, ReadableSpan]:
    """The spans of one attempt that succeeds."""
    this = attempt(headers=headers, **fields)
    with rig.telemetry.around_attempt(this):
        this.outcome = DONE
    return rig.spans()


def trace_id(span: ReadableSpan) -> str:
    assert span.context is not None
    return f"{span.context.trace_id:032x}"


@pytest.mark.parametrize(
    ("mode", "fields", "own"),
    [
        ("auto", {}, False),
        ("auto", {"submitted": 700.5, "now": 1_000.5}, False),
        ("auto", {"submitted": 700.4, "now": 1_000.5}, True),
        ("auto", {"number": 2}, True),
        ("auto", {"headers": {**PARENT, "link": "batch"}}, True),
        ("parent", {"number": 2, "submitted": 0.0, "headers": {**PARENT, "link": "batch"}}, False),
        ("link", {}, True),
    ],
)
def test_the_rule(mode: TraceMode, fields: dict[str, Any], own: bool) -> None:
    """`auto`: a first attempt soon after a submission of its own is a child, all else has a link."""
    rig = Rig(rule=TraceRule(mode=mode))
    spans = spans_of(rig, **fields)

    assert (trace_id(spans["process media"]) != TRACE) is own
    assert ("attempt media" in spans) is own


def test_a_retry_leads_back_to_where_it_came_from(rig: Rig) -> None:
    """Root and `process` have links to the submission and the attempt before; the root can be found."""
    spans = spans_of(rig, number=2, previous=f"00-{'a' * 32}-{BEFORE}-01")
    root, wait, process = (spans[f"{name} media"] for name in ("attempt", "wait", "process"))

    for span in (root, process):
        assert [f"{link.context.span_id:016x}" for link in span.links] == [SUBMISSION, BEFORE]
    assert (root.attributes or {})["messaging.penstock.submitted_trace_id"] == TRACE
    assert root.context is not None
    for span in (wait, process):
        assert span.parent is not None
        assert span.parent.span_id == root.context.span_id
    assert (root.start_time, root.end_time) == (wait.start_time, process.end_time)


def test_lines_of_a_linked_attempt_name_the_submission_too(rig: Rig) -> None:
    """Whoever has the trace id that the API gave finds every line by it."""
    with rig.telemetry.around_attempt(attempt(headers=PARENT, number=2)) as scope:
        assert scope.fields["submitted_trace_id"] == TRACE
        assert scope.fields["trace_id"] != TRACE
    with rig.telemetry.around_attempt(attempt(headers=PARENT)) as scope:
        assert "submitted_trace_id" not in scope.fields


def test_jobs_of_a_batch_are_told_apart_when_they_are_submitted(rig: Rig) -> None:
    """The record says it; a single job's does not, and neither do those of a rule that does not ask."""
    with rig.telemetry.around_submit([request(), request()]) as headers:
        assert headers["link"] == "batch"
    with rig.telemetry.around_submit([request()]) as headers:
        assert "link" not in headers
    with Rig(rule=TraceRule(mode="parent")).telemetry.around_submit([request(), request()]) as headers:
        assert "link" not in headers


@pytest.mark.parametrize(
    "wrong", [{"mode": "sometimes"}, {"soon": -1.0}, {"slow": -1.0}, {"slow": float("nan")}]
)
def test_a_rule_that_cannot_be(wrong: dict[str, Any]) -> None:
    """One line that says what is expected."""
    with pytest.raises(ConfigurationError, match="expected auto, parent or link"):
        TraceRule(**wrong)
