"""Spans of what the worker itself does to a queue."""

import msgspec
from opentelemetry.trace import SpanKind

from penstock.engine.attempt import Attempt
from penstock.engine.events import JobsPromoted, Settled, WorkersReaped
from penstock.engine.outcome import Succeeded
from penstock.telemetry.traces.observer import TraceObserver
from telemetry.rig import Rig, attempt

DONE = Succeeded(msgspec.Raw(b"\xc0"))


def ran(rig: Rig, job_id: str, flags: str) -> Attempt:
    """An attempt that has ended."""
    this = attempt(job_id, {"traceparent": f"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-{flags}"})
    with rig.telemetry.around_attempt(this):
        this.outcome = DONE
    return this


def test_a_flush_is_one_span_with_a_link_to_each_sampled_attempt(rig: Rig) -> None:
    """It is a trace of its own; how many it settled, and each one's share of its time, are attributes."""
    attempts = [ran(rig, "media.1", "01"), ran(rig, "media.2", "00"), ran(rig, "media.3", "01")]
    processes = {
        str((span.attributes or {})["messaging.message.id"]): span.context
        for span in rig.finished.get_finished_spans()
        if span.name == "process media"
    }
    TraceObserver(rig.telemetry.tracing)(Settled("media", 4, 1, 0.002, attempts))

    span = rig.spans()["settle media"]
    assert (span.kind, span.parent) == (SpanKind.CLIENT, None)
    assert dict(span.attributes or {}) == {
        "messaging.system": "penstock",
        "messaging.operation.name": "settle",
        "messaging.operation.type": "settle",
        "messaging.destination.name": "media",
        "messaging.batch.message_count": 4,
        "messaging.penstock.seconds_per_job": 0.0005,
        "messaging.penstock.refused": 1,
    }
    linked = {str((link.attributes or {})["messaging.message.id"]): link.context for link in span.links}
    assert set(linked) == {"media.1", "media.3"} == set(processes)
    for job_id, context in processes.items():
        assert context is not None
        assert (linked[job_id].trace_id, linked[job_id].span_id) == (context.trace_id, context.span_id)


def test_a_flush_of_unsampled_attempts_is_no_span(rig: Rig) -> None:
    """Nor is one of jobs that nobody ran."""
    observe = TraceObserver(rig.telemetry.tracing)
    observe(Settled("media", 1, 0, 0.002, [ran(rig, "media.2", "00")]))
    observe(Settled("media", 1, 0, 0.002, []))

    assert rig.spans() == {}


def test_what_scheduler_and_reaper_did_are_spans(rig: Rig) -> None:
    """The facts are told only where something was done; the span covers the time that it took."""
    observe = TraceObserver(rig.telemetry.tracing)
    observe(JobsPromoted("media", 3, 0.004))
    observe(WorkersReaped("media", ["w1"], 2, ["media.9"], 0.005))

    promoted, reaped = rig.spans()["promote media"], rig.spans()["reap media"]
    assert (promoted.attributes or {})["messaging.batch.message_count"] == 3
    attributes = reaped.attributes or {}
    assert attributes["messaging.batch.message_count"] == 3
    assert list(attributes["messaging.penstock.workers"]) == ["w1"]  # type: ignore[arg-type]
    assert list(attributes["messaging.penstock.dead"]) == ["media.9"]  # type: ignore[arg-type]
    for span, seconds in ((promoted, 0.004), (reaped, 0.005)):
        assert span.start_time is not None
        assert span.end_time is not None
        assert seconds <= (span.end_time - span.start_time) / 1e9 < seconds + 1
