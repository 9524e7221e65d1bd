"""Penstock's spans: submissions, attempts, and what the worker itself does.

One trace shows: HTTP request → `enqueue {queue}` (PRODUCER) → `wait {queue}` and `process {queue}`
(CONSUMER), siblings, → what the handler did. An attempt that is a trace of its own (`traces/rule.py`) has a
root `attempt {queue}` above the two, with links to the submission and to the attempt before. `settle
{queue}` is one span a flush, with links.
"""

from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from functools import partial

from opentelemetry.context import attach, detach
from opentelemetry.trace import (
    NonRecordingSpan,
    SpanContext,
    TraceFlags,
    Tracer,
    TraceState,
    get_current_span,
    set_span_in_context,
)

from penstock.engine.attempt import Attempt
from penstock.engine.operation import Operation
from penstock.engine.request import Request
from penstock.engine.seams import Redact, unchanged
from penstock.telemetry.scope import UntracedAttempt
from penstock.telemetry.traces import attributes as names
from penstock.telemetry.traces.around_attempt import AroundAttempt
from penstock.telemetry.traces.carriers import TRACEPARENT, TRACESTATE, Remote, parse_headers
from penstock.telemetry.traces.conclusion import canonical_name, fail
from penstock.telemetry.traces.late_span import LateSpan
from penstock.telemetry.traces.provider import SCOPE, Provider
from penstock.telemetry.traces.rule import TraceRule
from penstock.telemetry.traces.sampling import Sampling
from penstock.telemetry.traces.sort import Sort
from penstock.telemetry.traces.sorts import Sorts
from penstock.telemetry.traces.span import Span, new_trace_id


class Tracing:
    """Makes Penstock's spans; they leave by one provider."""

    def __init__(self, provider: Provider, rule: TraceRule | None = None, redact: Redact = unchanged) -> None:
        """`redact` takes secrets out of what exceptions say before it stands on a span."""
        self.provider = provider
        self.enabled = not provider.disabled
        self.rule = rule if rule is not None else TraceRule()
        self.sampling = Sampling(provider.sampler)
        self._redact = redact
        self.sorts = Sorts()
        self.follows = self.sampling.follows
        """Whether what has a parent is sampled where that is; the sampler need not be asked."""
        self.joins = self.rule.joins()
        """Seconds from submission within which the rule need not be asked of a first attempt."""
        self.slow = self.rule.slow * 1e9
        """Nanoseconds from which on it has to be asked of an attempt that went well."""
        self.around_attempt: Callable[[Attempt], AroundAttempt | UntracedAttempt] = (
            partial(AroundAttempt, self) if self.enabled else UntracedAttempt
        )
        """The `wait` and `process` spans of one attempt; ended whatever happens."""

    @property
    def tracer(self) -> Tracer:
        """The SDK's tracer of the same provider, for whoever makes spans by OpenTelemetry's interface."""
        return self.provider.get_tracer(SCOPE.name, SCOPE.version, SCOPE.schema_url)

    @contextmanager
    def around_submit(self, requests: Sequence[Request]) -> Generator[Mapping[str, str]]:
        """One `enqueue` span for requests to one queue, below the current span; gives the headers to store.

        What fails inside, or is cancelled, is put on the span and goes on.
        """
        if not self.enabled:
            yield {}
            return
        span = self.below(self._current(), self.sorts.enqueue(requests))
        if len(requests) > 1:
            span.note(names.MESSAGING_BATCH_MESSAGE_COUNT, len(requests))
        with self.current(span):
            headers = {TRACEPARENT: span.traceparent, **self.rule.of_submission(requests)}
            yield {**headers, TRACESTATE: span.trace_state} if span.trace_state else headers

    @contextmanager
    def around_operation(self, operation: Operation) -> Generator[Mapping[str, str]]:
        """A span for what others are asked to do, below the current one; gives the headers that hand it on.

        What fails inside, or is cancelled, is put on the span and goes on.
        """
        if not self.enabled:
            yield {}
            return
        sort = self.sorts.operation(operation)
        with self.current(self.below(self._current(), sort)) as span:
            headers = {TRACEPARENT: span.traceparent}
            try:
                yield {**headers, TRACESTATE: span.trace_state} if span.trace_state else headers
            finally:
                for key, value in operation.attributes.items():
                    span.note(key, value)
                if operation.error_type is not None:
                    fail(span, operation.error_type)

    @contextmanager
    def continued(self, headers: Mapping[str, str]) -> Generator[None]:
        """What is made in the block goes on in the trace that `headers` hand on, if they do."""
        remote = parse_headers(headers) if self.enabled else None
        if remote is None:
            yield
            return
        above = SpanContext(
            int(remote.trace_id, 16),
            int(remote.span_id, 16),
            is_remote=True,
            trace_flags=TraceFlags(remote.flags),
            trace_state=TraceState.from_header([remote.trace_state]) if remote.trace_state else None,
        )
        token = attach(set_span_in_context(NonRecordingSpan(above)))
        try:
            yield
        finally:
            detach(token)

    def step(self, name: str) -> AbstractContextManager[Span]:
        """A part of the work as a span below the current one; `name` is one of few."""
        return self.current(self.below(self._current(), self.sorts.step(name)))

    def below(self, parent: Remote | Span | None, sort: Sort, started: int | None = None) -> Span:
        """A span below `parent`, or the root of a new trace."""
        if parent is None:
            trace_id = new_trace_id()
            return Span(self.provider, sort, trace_id, None, self.sampling.root(trace_id, sort), started)
        remote = isinstance(parent, Remote)
        flags = self.sampling.child(parent.trace_id, parent.span_id, parent.flags, remote, sort)
        span = Span(self.provider, sort, parent.trace_id, parent.span_id, flags, started)
        span.inherit(remote, parent.trace_state)
        return span

    @contextmanager
    def current(self, span: Span) -> Generator[Span]:
        """Make `span` current, put on it what ends the block early, and end it.

        Not the SDK's `use_span`: it ignores cancellation, and records exceptions as span events, which the
        conventions have given up for logs.
        """
        token = attach(set_span_in_context(span))
        try:
            yield span
        except BaseException as error:
            fail(span, canonical_name(error), self._redact(str(error)))
            raise
        finally:
            detach(token)
            span.end()

    def _current(self) -> Remote | Span | None:
        span = get_current_span()
        if isinstance(span, LateSpan):
            return span.span
        if isinstance(span, Span):
            return span
        context = span.get_span_context()
        if not context.is_valid:
            return None
        state = context.trace_state.to_header() if context.trace_state else ""
        return Remote(f"{context.trace_id:032x}", f"{context.span_id:016x}", context.trace_flags, state)
