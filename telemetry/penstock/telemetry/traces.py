"""Spans around submissions, attempts and requests; names follow the messaging conventions 1.44.

One trace shows: HTTP request → `enqueue {queue}` (PRODUCER) → `wait {queue}` and `process {queue}`
(CONSUMER), siblings below `enqueue`. **Parent or link**: the conventions prefer links, but allow the
creation context as parent where one message is processed alone, as here. Every attempt is a child of
`enqueue`; a retry links to it as well, so that it stays found once retries become roots of their own.
A record without trace context starts a trace, and then has no `wait` span: it would be a trace of its own.
"""

import time
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager

from opentelemetry.context import Context, attach, detach
from opentelemetry.trace import (
    Link,
    NonRecordingSpan,
    Span,
    SpanContext,
    SpanKind,
    Status,
    StatusCode,
    Tracer,
    TracerProvider,
    set_span_in_context,
)

from penstock.engine.attempt import Attempt
from penstock.engine.outcome import (
    Cancelled,
    Dead,
    Expired,
    Lost,
    Outcome,
    Released,
    Retry,
    Succeeded,
    outcome_name,
)
from penstock.engine.request import Request
from penstock.telemetry import attributes as names
from penstock.telemetry.carriers import headers_of, parse_headers

SYSTEM = "penstock"


class Tracing:
    """Makes Penstock's spans with the tracer of one provider."""

    def __init__(self, provider: TracerProvider, version: str = "") -> None:
        self.tracer: Tracer = provider.get_tracer("penstock", version, names.SCHEMA_URL)

    @contextmanager
    def around_submit(self, requests: Sequence[Request]) -> Generator[Mapping[str, str]]:
        """One `enqueue` span for requests to one queue, below the current span; gives the headers to store.

        What fails inside, or is cancelled, is put on the span and goes on.
        """
        span = self.tracer.start_span(
            f"enqueue {requests[0].queue}", kind=SpanKind.PRODUCER, attributes=_of_submission(requests)
        )
        with current(span):
            yield headers_of(span.get_span_context())

    @contextmanager
    def around_attempt(self, attempt: Attempt) -> Generator[SpanContext]:
        """One `process` span, below the `enqueue` span that the record names; ended whatever happens.

        `attempt.outcome`, set by the time it is left, decides its status.
        """
        started = time.time_ns()
        remote = parse_headers(attempt.headers)
        # An empty context, not the current one: the worker's own spans are not what asked for this job.
        parent = Context()
        links: list[Link] = []
        if remote is not None:
            parent = set_span_in_context(NonRecordingSpan(remote), parent)
            links = [Link(remote)] if attempt.number > 1 else links
        span = self.tracer.start_span(
            f"process {attempt.queue}",
            parent,
            SpanKind.CONSUMER,
            _of_attempt(attempt),
            links,
            start_time=started,
        )
        if remote is not None and attempt.waited > 0 and span.is_recording():
            self._wait(attempt, parent, started)
        token = attach(set_span_in_context(span, parent))
        try:
            yield span.get_span_context()
        finally:
            detach(token)
            if attempt.outcome is not None:
                span.set_attribute(names.PENSTOCK_OUTCOME, outcome_name(attempt.outcome))
            _conclude(span, attempt.outcome)
            span.end()

    def _wait(self, attempt: Attempt, parent: Context, started: int) -> None:
        """The bar between due and started. Laid out backwards from this machine's clock by a duration
        that the engine took on one clock, so that it meets the `process` span whatever the store's says."""
        span = self.tracer.start_span(
            f"wait {attempt.queue}",
            parent,
            SpanKind.INTERNAL,
            {names.MESSAGING_MESSAGE_ID: attempt.id, names.PENSTOCK_ATTEMPT: attempt.number},
            start_time=started - int(attempt.waited * 1e9),
        )
        span.end(started)


@contextmanager
def current(span: Span) -> Generator[Span]:
    """Make `span` current, put on it what ends the block early, and end it.

    Not the SDK's `use_span`: it ignores cancellation, and records exceptions as span events, which the
    conventions have given up for logs.
    """
    token = attach(set_span_in_context(span))
    try:
        yield span
    except BaseException as error:
        fail(span, canonical_name(error), str(error))
        raise
    finally:
        detach(token)
        span.end()


def fail(span: Span, error_type: str, description: str = "") -> None:
    """Mark `span` as failed, in the conventions' two places."""
    span.set_attribute(names.ERROR_TYPE, error_type)
    span.set_status(Status(StatusCode.ERROR, description or None))


def canonical_name(error: BaseException) -> str:
    """`module.Class`, as `error.type` wants it; of the one error inside a group of one."""
    while isinstance(error, BaseExceptionGroup) and len(error.exceptions) == 1:
        error = error.exceptions[0]
    kind = type(error)
    return kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"


def _of_submission(requests: Sequence[Request]) -> dict[str, str | int]:
    attributes: dict[str, str | int] = {
        names.MESSAGING_SYSTEM: SYSTEM,
        names.MESSAGING_OPERATION_NAME: "enqueue",
        names.MESSAGING_OPERATION_TYPE: "send",
        names.MESSAGING_DESTINATION_NAME: requests[0].queue,
    }
    if len(requests) > 1:
        attributes[names.MESSAGING_BATCH_MESSAGE_COUNT] = len(requests)
    jobs = {request.job for request in requests}
    if len(jobs) == 1:
        attributes[names.PENSTOCK_JOB] = jobs.pop()
    return attributes


def _of_attempt(attempt: Attempt) -> dict[str, str | int]:
    attributes: dict[str, str | int] = {
        names.MESSAGING_SYSTEM: SYSTEM,
        names.MESSAGING_OPERATION_NAME: "process",
        names.MESSAGING_OPERATION_TYPE: "process",
        names.MESSAGING_DESTINATION_NAME: attempt.queue,
        names.MESSAGING_MESSAGE_ID: attempt.id,
        names.MESSAGING_CLIENT_ID: attempt.worker,
        names.PENSTOCK_JOB: attempt.job,
        names.PENSTOCK_MODULE: attempt.module,
        names.PENSTOCK_ATTEMPT: attempt.number,
        names.PENSTOCK_MAX_ATTEMPTS: attempt.max_attempts,
        names.PENSTOCK_PRIORITY: attempt.priority,
    }
    if attempt.tenant is not None:
        attributes[names.PENSTOCK_TENANT] = attempt.tenant
    return attributes


def _conclude(span: Span, outcome: Outcome | None) -> None:
    """Say on the span how the attempt ended: success leaves the status unset, all else has its reason."""
    match outcome:
        case Succeeded():
            pass
        case Retry() | Dead():
            fail(span, *_why(outcome))
        case Lost():
            fail(span, "lease_lost", "the lease ended, another worker has the job")
        case Cancelled():
            fail(span, "cancelled", "somebody asked for it")
        case Released(reason):
            fail(span, "released", reason)
        case Expired():
            fail(span, "expired", "its last moment to start had passed")
        case None:
            fail(span, names.ERROR_TYPE_OTHER, "the attempt was left without an outcome")


def _why(outcome: Retry | Dead) -> tuple[str, str]:
    error = outcome.error
    if error is None:  # the handler raised the outcome itself
        return outcome_name(outcome), outcome.reason
    return error.type, error.message
