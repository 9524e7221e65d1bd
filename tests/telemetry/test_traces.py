"""Spans around submissions and attempts: their family, their names and how they end."""

import msgspec
import pytest
import trio
from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.trace import SpanKind, StatusCode

from penstock.engine.job import JobError
from penstock.engine.outcome import Cancelled, Dead, Expired, Lost, Outcome, Released, Retry, Succeeded
from penstock.telemetry.traces.conclusion import canonical_name
from penstock.telemetry.traces.provider import Provider
from penstock.telemetry.traces.tracing import Tracing
from telemetry.rig import Rig, attempt, request

DONE = Succeeded(msgspec.Raw(b"\xc0"))
PARENT = {"traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"}


def ids(span: ReadableSpan) -> tuple[int, int | None]:
    assert span.context is not None
    return span.context.trace_id, span.parent.span_id if span.parent else None


def test_a_submission_is_a_producer_span(rig: Rig) -> None:
    """Name, kind and attributes are the messaging conventions'; one request is no batch."""
    with rig.telemetry.around_submit([request()]):
        pass

    span = rig.spans()["enqueue media"]
    assert SpanKind.PRODUCER is span.kind
    assert StatusCode.UNSET is span.status.status_code
    assert dict(span.attributes or {}) == {
        "messaging.system": "penstock",
        "messaging.operation.name": "enqueue",
        "messaging.operation.type": "send",
        "messaging.destination.name": "media",
        "messaging.penstock.job": "images.thumbnail",
    }


def test_a_batch_says_how_many(rig: Rig) -> None:
    """The count stands on batches only; a job's name only where it is one for all."""
    with rig.telemetry.around_submit([request(), request("images.rotate")]):
        pass

    attributes = rig.spans()["enqueue media"].attributes or {}
    assert attributes["messaging.batch.message_count"] == 2
    assert "messaging.penstock.job" not in attributes


def test_a_submission_that_fails_says_why(rig: Rig) -> None:
    """The error goes on; the span has its class, and no span event."""
    with pytest.raises(ConnectionError), rig.telemetry.around_submit([request()]):
        raise ConnectionError("no route")

    span = rig.spans()["enqueue media"]
    assert (
        (span.attributes or {})["error.type"],
        span.status.description,
    ) == ("ConnectionError", "no route")
    assert not span.events


def test_the_headers_name_the_enqueue_span(rig: Rig) -> None:
    """What is stored with the job leads back to its submission, below whatever asked for it."""
    tracer = rig.telemetry.tracing.tracer
    with (
        tracer.start_as_current_span("asking") as asking,
        rig.telemetry.around_submit([request()]) as headers,
    ):
        inside = trace.get_current_span().get_span_context()

    flags = f"{inside.trace_flags:02x}"  # sampled; since Level 2 also that the id is random
    assert f"00-{inside.trace_id:032x}-{inside.span_id:016x}-{flags}" == headers["traceparent"]
    context = asking.get_span_context()
    assert (context.trace_id, context.span_id) == ids(rig.spans()["enqueue media"])


def test_the_first_attempt_is_a_child_of_its_submission(rig: Rig) -> None:
    """`wait` and `process` are siblings below `enqueue`, and wait ends where process starts."""
    with rig.telemetry.around_submit([request()]) as headers:
        pass
    this = attempt(headers=dict(headers), tenant="acme", user="ann", crashes=1)
    with rig.telemetry.around_attempt(this):
        this.outcome = DONE

    spans = rig.spans()
    enqueue, wait, process = (spans[f"{name} media"] for name in ("enqueue", "wait", "process"))
    assert enqueue.context is not None
    assert ids(wait) == ids(process) == (enqueue.context.trace_id, enqueue.context.span_id)
    assert (
        process.kind,
        process.status.status_code,
        tuple(process.links),
    ) == (SpanKind.CONSUMER, StatusCode.UNSET, ())
    assert wait.start_time is not None
    assert wait.end_time == process.start_time == wait.start_time + 500_000_000
    assert dict(process.attributes or {}) == {
        "messaging.system": "penstock",
        "messaging.operation.name": "process",
        "messaging.operation.type": "process",
        "messaging.destination.name": "media",
        "messaging.message.id": "media.1",
        "messaging.client.id": "w1",
        "messaging.penstock.job": "images.thumbnail",
        "messaging.penstock.module": "images",
        "messaging.penstock.attempt": 1,
        "messaging.penstock.max_attempts": 4,
        "messaging.penstock.priority": 5,
        "messaging.penstock.tenant": "acme",
        "messaging.penstock.user": "ann",
        "messaging.penstock.crashes": 1,
        "messaging.penstock.outcome": "succeeded",
    }


@pytest.mark.parametrize("headers", [{}, {"traceparent": "garbage"}])
def test_a_job_without_a_trace_starts_one(rig: Rig, headers: dict[str, str]) -> None:
    """Not below whatever the worker is doing; `wait` and `process` are siblings below a root of their own."""
    this = attempt(headers=headers)
    with (
        rig.telemetry.tracing.tracer.start_as_current_span("the worker's own"),
        rig.telemetry.around_attempt(this),
    ):
        this.outcome = DONE

    spans = rig.spans()
    root = spans["attempt media"]
    assert root.context is not None
    assert root.parent is None
    assert (
        ids(spans["wait media"])
        == ids(spans["process media"])
        == (root.context.trace_id, root.context.span_id)
    )
    assert ids(spans["the worker's own"])[0] != root.context.trace_id
    assert not root.links


ERROR = JobError("builtins.KeyError", "'width'", "Traceback ...")


@pytest.mark.parametrize(
    ("outcome", "error_type", "description"),
    [
        (Retry(error=ERROR), "builtins.KeyError", "'width'"),
        (Retry("rate limited"), "retry", "rate limited"),
        (Dead("out of attempts", error=ERROR), "builtins.KeyError", "'width'"),
        (Dead("no such customer"), "dead", "no such customer"),
        (Lost(), "lease_lost", "the lease ended, another worker has the job"),
        (Cancelled(), "cancelled", "somebody asked for it"),
        (Released("shutdown"), "shutdown", "given back unfinished"),
        (Expired(), "expired", "its last moment to start had passed"),
        (None, "_OTHER", "the attempt was left without an outcome"),
    ],
)
def test_what_is_no_success_says_why(
    rig: Rig, outcome: Outcome | None, error_type: str, description: str
) -> None:
    """Every ending but success is an error with a type and a description."""
    this = attempt(headers=PARENT)
    with rig.telemetry.around_attempt(this):
        this.outcome = outcome

    span = rig.spans()["process media"]
    assert (StatusCode.ERROR, description) == (span.status.status_code, span.status.description)
    assert error_type == (span.attributes or {})["error.type"]


async def test_a_cancelled_attempt_is_ended_too(rig: Rig) -> None:
    """Cancellation passes through; the span ends and the context is as before."""
    this = attempt(headers=PARENT)
    with trio.CancelScope() as scope, rig.telemetry.around_attempt(this):
        scope.cancel()
        try:
            await trio.lowlevel.checkpoint()
        finally:
            this.outcome = Released("shutdown")

    assert scope.cancelled_caught
    assert (rig.spans()["process media"].attributes or {})["error.type"] == "shutdown"
    assert not trace.get_current_span().get_span_context().is_valid


async def test_spans_of_handlers_nest_below_the_attempt(rig: Rig) -> None:
    """In the handler's task, in nursery children and in threads."""
    tracer = rig.telemetry.tracing.tracer

    def work(name: str) -> None:
        with tracer.start_as_current_span(name):
            pass

    async def child() -> None:
        work("in a child")

    this = attempt(headers=PARENT)
    with rig.telemetry.around_attempt(this):
        work("in the handler")
        await trio.to_thread.run_sync(work, "in a thread")
        async with trio.open_nursery() as nursery:
            nursery.start_soon(child)
        this.outcome = DONE

    process = rig.spans()["process media"].context
    assert process is not None
    for name in ("in the handler", "in a thread", "in a child"):
        assert (process.trace_id, process.span_id) == ids(rig.spans()[name])


def test_an_author_may_say_more_on_the_span(rig: Rig) -> None:
    """`get_current_span()` in a handler is the `process` span, and its author's word wins over ours."""
    this = attempt(headers=PARENT)
    with rig.telemetry.around_attempt(this):
        span = trace.get_current_span()
        assert span.is_recording()
        span.set_attribute("thumbnail.width", 200)
        span.set_attribute("messaging.penstock.priority", 9)
        span.add_event("resized")
        this.outcome = DONE

    process = rig.spans()["process media"]
    attributes = process.attributes or {}
    assert (attributes["thumbnail.width"], attributes["messaging.penstock.priority"]) == (200, 9)
    assert [event.name for event in process.events] == ["resized"]


def test_a_disabled_sdk_makes_nothing() -> None:
    """OTEL_SDK_DISABLED: no headers, no ids, and nothing breaks."""
    tracing = Tracing(Provider(disabled=True))
    with tracing.around_submit([request()]) as headers:
        assert headers == {}
    this = attempt()
    with tracing.around_attempt(this) as scope:
        assert not trace.get_current_span().get_span_context().is_valid
        assert scope.fields["job_id"] == "media.1"
        this.outcome = DONE
    assert scope.exemplar is None
    assert this.trace is None


def test_an_error_is_named_by_what_is_inside_a_group_of_one() -> None:
    """A nursery wraps the one error of its one child; the child's is the cause."""
    assert canonical_name(ExceptionGroup("", [ExceptionGroup("", [KeyError()])])) == "KeyError"
    assert canonical_name(ExceptionGroup("", [KeyError(), ValueError()])) == "ExceptionGroup"
    assert canonical_name(trio.TooSlowError()) == "trio.TooSlowError"
