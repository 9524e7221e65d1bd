"""Attempts that are not sampled: they have ids, and are kept when they turn out to matter."""

from typing import Any

import msgspec
import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF

from penstock.engine.job import JobError
from penstock.engine.outcome import Cancelled, Dead, Outcome, Released, Retry, Succeeded
from penstock.telemetry.traces.rule import TraceRule
from telemetry.rig import Rig, attempt, request

DONE = Succeeded(msgspec.Raw(b"\xc0"))
TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
UNSAMPLED = {"traceparent": f"00-{TRACE}-00f067aa0ba902b7-00"}
ERROR = JobError("builtins.KeyError", "'width'")


def run(rig: Rig, outcome: Outcome, **fields: Any) -> None:
    this = attempt(headers=UNSAMPLED, **fields)
    with rig.telemetry.around_attempt(this):
        this.outcome = outcome


@pytest.mark.parametrize("outcome", [DONE, Cancelled(), Released("shutdown")])
def test_what_went_well_leaves_no_span(rig: Rig, outcome: Outcome) -> None:
    """Neither does what was ended from outside."""
    run(rig, outcome)

    assert rig.spans() == {}


@pytest.mark.parametrize(
    ("outcome", "fields", "why"),
    [
        (Retry(error=ERROR), {}, "retried"),
        (Dead("no", error=ERROR), {}, "dead"),
        (DONE, {"number": 2}, "retry"),
    ],
)
def test_what_failed_is_kept(outcome: Outcome, fields: dict[str, Any], why: str) -> None:
    """`wait` and `process` are made at the end, sampled, and say why."""
    rig = Rig(sampler=ALWAYS_OFF)
    run(rig, outcome, **fields)

    spans = rig.spans()
    for name in ("wait media", "process media"):
        context = spans[name].context
        assert context is not None
        assert context.trace_flags.sampled
        assert (spans[name].attributes or {})["penstock.kept"] == why
    assert spans["wait media"].end_time == spans["process media"].start_time


def test_what_took_long_is_kept() -> None:
    """From the rule's seconds on; here none."""
    rig = Rig(rule=TraceRule(slow=0.0))
    run(rig, DONE)

    assert (rig.spans()["process media"].attributes or {})["penstock.kept"] == "slow"


def test_a_kept_attempt_is_in_the_trace_that_was_not_recorded(rig: Rig) -> None:
    """Under the ids that its lines and its error have; its children were not recorded."""
    this = attempt(headers=UNSAMPLED)
    with rig.telemetry.around_attempt(this) as scope:
        with rig.telemetry.tracing.tracer.start_as_current_span("a child") as child:
            assert not child.is_recording()
        logged = scope.fields
        assert this.trace is not None
        stored = this.trace.traceparent
        this.outcome = Dead("no", error=ERROR)

    (process,) = [span for name, span in rig.spans().items() if name == "process media"]
    assert process.context is not None
    ids = (f"{process.context.trace_id:032x}", f"{process.context.span_id:016x}")
    assert (TRACE, logged["span_id"]) == ids
    assert ids == tuple(stored.split("-")[1:3])
    assert "a child" not in rig.spans()


def test_a_kept_retry_has_a_root_too() -> None:
    """An attempt that is a trace of its own is whole when it is kept."""
    rig = Rig(sampler=ALWAYS_OFF)
    this = attempt(headers=UNSAMPLED, number=2)
    with rig.telemetry.around_attempt(this):
        this.outcome = DONE

    spans = rig.spans()
    root = spans["attempt media"].context
    assert root is not None
    for name in ("wait media", "process media"):
        parent = spans[name].parent
        assert parent is not None
        assert parent.span_id == root.span_id
    assert (spans["attempt media"].attributes or {})["penstock.kept"] == "retry"


def test_an_exemplar_leads_to_what_is_kept(rig: Rig) -> None:
    """Known by the time the run is measured: a trace that will exist is named, one that will not is not."""
    for outcome, exemplar in ((DONE, None), (Retry(error=ERROR), TRACE)):
        this = attempt(headers=UNSAMPLED)
        with rig.telemetry.around_attempt(this) as scope:
            assert scope.exemplar is None
            this.outcome = outcome
            assert scope.exemplar == exemplar


def test_an_unsampled_job_has_ids() -> None:
    """Its lines and its record can be found by them, and what it asks of others is not sampled either."""
    rig = Rig(sampler=ALWAYS_OFF)
    with rig.telemetry.around_submit([request()]) as headers:
        pass
    this = attempt(headers=dict(headers))
    with rig.telemetry.around_attempt(this) as scope:
        context = trace.get_current_span().get_span_context()
        this.outcome = DONE

    assert int(headers["traceparent"][-2:], 16) & 1 == 0
    assert headers["traceparent"].split("-")[1] == scope.fields["trace_id"] == f"{context.trace_id:032x}"
    assert scope.fields["span_id"] == f"{context.span_id:016x}"
    assert not context.trace_flags.sampled


@pytest.mark.parametrize("garbage", ["x" * 54 + "0", "00-" + "g" * 49 + "-00"])
def test_a_trace_that_only_looks_unsampled_is_none(rig: Rig, garbage: str) -> None:
    """What stands in the record is looked at closely only when it is needed, and then must be right."""
    with rig.telemetry.around_attempt(attempt(headers={"traceparent": garbage})) as scope:
        assert int(str(scope.fields["trace_id"]), 16)


def test_nothing_is_left_behind_that_nobody_collects(rig: Rig) -> None:
    """An attempt is invisible to the garbage collector, so it must not be part of a circle."""
    for headers in (UNSAMPLED, {"traceparent": UNSAMPLED["traceparent"][:-1] + "1"}):
        this = attempt(headers=headers)
        with rig.telemetry.around_attempt(this) as scope:
            this.outcome = DONE
        assert this.trace is not scope
