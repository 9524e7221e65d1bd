"""The scope of one attempt: its `wait` and `process` spans, and what its log lines and exemplars are given.

On the hot path: a sampled attempt costs two spans of `span.py`, one that is not sampled one object and two
context variables. What was not sampled and turns out to have failed, been retried or taken long gets its
spans at the end (`penstock.kept`); its children and the request's spans were not recorded and cannot be got
back.
"""

import time
from contextvars import Token
from types import TracebackType
from typing import TYPE_CHECKING, Self

from opentelemetry.context import Context, attach, detach
from opentelemetry.trace import (
    INVALID_SPAN,
    set_span_in_context,
)

from penstock.engine.attempt import Attempt
from penstock.engine.job import trace_id_of
from penstock.telemetry.scope import UNSAMPLED, Scope, attempt_fields, enter, leave
from penstock.telemetry.traces import attributes as names
from penstock.telemetry.traces.carriers import TRACEPARENT, parse_headers, parse_traceparent
from penstock.telemetry.traces.conclusion import conclude
from penstock.telemetry.traces.span import SAMPLED, Span, new_trace_id

if TYPE_CHECKING:
    from penstock.telemetry.traces.tracing import Tracing

[_SPAN_KEY] = set_span_in_context(INVALID_SPAN, Context())
"""Where the current span stands in a context: the function that knows it copies the context first."""


_UNSAMPLED_FLAGS = frozenset("02468ace")
"""Last digits of flags whose lowest bit is not set."""
_UNSAMPLED = Context({_SPAN_KEY: UNSAMPLED})


class AroundAttempt(Scope):
    """Entered in the handler's own task; `attempt.outcome`, set when it is left, decides the status."""

    __slots__ = (
        "_attached",
        "_attempt",
        "_entered",
        "_left",
        "_own",
        "_root",
        "_started",
        "_tracing",
        "_waits",
    )

    def __init__(self, tracing: "Tracing", attempt: Attempt) -> None:
        self._tracing = tracing
        self._attempt = attempt
        self._fields = None
        self._span = None
        self._root: Span | None = None
        self._left = self._waits = self.told_later = False

    def __enter__(self) -> Self:
        attempt, tracing = self._attempt, self._tracing
        self._started = time.time_ns()
        own = self._own = tracing.rule.links(attempt)
        # The fifty-fifth character and last is all that has to be looked at in most cases. Whether the others
        # are as they should be is seen when somebody needs them.
        flag = attempt.headers.get(TRACEPARENT, "")[54:]
        if flag in _UNSAMPLED_FLAGS and not own and tracing.sampling.follows:
            attempt.trace = self  # undone at the end: an attempt is not seen by the garbage collector
            self.context = _UNSAMPLED
        else:
            span = self._span = attempt.trace = self._make_span(own)
            if span.flags & SAMPLED:
                self._begin(span)
                self._waits = True
            self.context = Context({_SPAN_KEY: span})
        self._attached = attach(self.context)
        self._entered: Token[Scope] = enter(self)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        leave(self._entered)
        detach(self._attached)
        self._left = True
        attempt, span = self._attempt, self._span
        if span is None or not span.flags & SAMPLED:
            why = self._tracing.rule.keeps(attempt, self._started)
            span = None if why is None else self._keep(why)
        attempt.trace = span
        if span is not None:
            if not self.told_later:
                self.show_wait()
            conclude(span, attempt.outcome)
            span.end()
            if self._root is not None:
                self._root.end(span.ended)

    @property
    def span(self) -> Span:
        """The `process` span; of an attempt that is not sampled it is made when somebody asks."""
        if self._span is None:
            self._span = self._make_span(self._own)
        return self._span

    @property
    def traceparent(self) -> str:
        """The span in W3C form."""
        return self.span.traceparent

    @property
    def exemplar(self) -> str | None:
        """The trace id, where the trace is sampled or, at the end, turns out to be kept."""
        span = self._span
        if span is None or not span.flags & SAMPLED:
            why = None if self._left else self._tracing.rule.keeps(self._attempt, self._started)
            span = None if why is None else self._keep(why)
        return None if span is None else span.trace_id

    def _make_span(self, own: bool) -> Span:
        """The `process` span, in a trace of its own or in that of the submission."""
        tracing, attempt = self._tracing, self._attempt
        sort = tracing.sorts.process(attempt)
        remote = parse_headers(attempt.headers)
        if remote is None or own:
            trace_id = new_trace_id()
            return Span(
                tracing.provider, sort, trace_id, None, tracing.sampling.root(trace_id, sort), self._started
            )
        trace_id, parent_id, flags, trace_state = remote
        if not tracing.sampling.follows:
            flags = tracing.sampling.child(trace_id, parent_id, flags, True, sort)
        span = Span(tracing.provider, sort, trace_id, parent_id, flags, self._started)
        span.inherit(True, trace_state)
        return span

    def show_wait(self) -> None:
        """Make the `wait` span, once."""
        if self._waits:
            self._waits = False
            self._wait(self.span).end(self._started)

    def _keep(self, why: str) -> Span:
        """Have an attempt recorded that was not sampled."""
        span = self.span
        span.keep()
        self._begin(span)
        wait = self._wait(span)
        for kept in (span, wait, self._root):
            if kept is not None:
                kept.note(names.PENSTOCK_KEPT, why)
        wait.end(self._started)
        return span

    def _begin(self, span: Span) -> None:
        """What is to be done before anybody may refer to the `process` span."""
        span.message_id = self._attempt.id
        if span.parent_id is None:
            self._root = self._make_root(span)

    def _wait(self, span: Span) -> Span:
        """The sibling of the `process` span that ends where that begins."""
        attempt, tracing = self._attempt, self._tracing
        sort = tracing.sorts.wait(attempt)
        wait = Span(tracing.provider, sort, span.trace_id, span.parent_id, span.flags, self._due)
        wait.message_id = attempt.id
        if span.remote:
            wait.inherit(True, span.trace_state)
        return wait

    @property
    def _due(self) -> int:
        """When the job became due, laid out backwards from this machine's clock by a duration that the engine
        took on one clock: so that `wait` meets `process` whatever the store's clock says."""
        return self._started - int(self._attempt.waited * 1e9)

    def _make_root(self, span: Span) -> Span:
        """The root of an attempt that is a trace of its own, with links to what it came from."""
        attempt, tracing = self._attempt, self._tracing
        root = Span(
            tracing.provider, tracing.sorts.attempt(attempt), span.trace_id, None, span.flags, self._due
        )
        root.message_id = attempt.id
        span.parent_id = root.span_id
        submitted = parse_headers(attempt.headers)
        if submitted is not None:
            root.note(names.PENSTOCK_SUBMITTED_TRACE, submitted.trace_id)
        before = None if attempt.previous is None else parse_traceparent(attempt.previous)
        links = [remote.link() for remote in (submitted, before) if remote is not None]
        root.refer_to(links)
        span.refer_to(links)  # which the conventions ask of the span that processes
        return root

    def _make_fields(self) -> dict[str, object]:
        fields = attempt_fields(self.span, self._attempt)
        if self._own:
            submitted = trace_id_of(self._attempt.headers)
            if submitted is not None:
                fields["submitted_trace_id"] = submitted
        return fields
