"""The scope of one attempt: its `wait` and `process` spans, and what its log lines and exemplars are given.

On the hot path next to nothing is done while the handler is about to run: what is in the record says whether
the attempt is sampled, and the `process` span is made when somebody asks for it, at the latest when the
attempt is told (`ledger.py`), a batch at a time. What was not sampled and turns out to have failed, been
retried or taken long gets its spans then (`penstock.kept`); its children and the request's spans were not
recorded and cannot be got back. And of an attempt that went well, and that nobody asked for its span, no
more is made than the bytes of the two: that is what most attempts are.
"""

from binascii import unhexlify
from time import time_ns
from types import TracebackType
from typing import TYPE_CHECKING, Self

from penstock.engine.attempt import Attempt
from penstock.engine.job import trace_id_of
from penstock.engine.outcome import Succeeded
from penstock.telemetry.context import SCOPE_KEY, SPAN_KEY, attach, detach
from penstock.telemetry.scope import Scope, attempt_fields
from penstock.telemetry.traces import attributes as names
from penstock.telemetry.traces.carriers import (
    LINK,
    TRACEPARENT,
    TRACESTATE,
    Remote,
    is_traceparent,
    parse_headers,
    parse_traceparent,
)
from penstock.telemetry.traces.conclusion import conclude
from penstock.telemetry.traces.late_span import LateSpan
from penstock.telemetry.traces.otlp import SpanLink, encode_message_id, encode_plain_span
from penstock.telemetry.traces.span import RANDOM, SAMPLED, Span, new_span_bytes, new_span_id, new_trace_id

if TYPE_CHECKING:
    from penstock.telemetry.traces.tracing import Tracing

_IS_SAMPLED = {digit: digit in "13579bdf" for digit in "0123456789abcdef"}
"""By the last digit of the flags: whether their lowest bit is set."""


class AroundAttempt(Scope, LateSpan):
    """Entered in the handler's own task; `attempt.outcome`, set when it is left, decides the status.

    It is the current span inside, and as such the `process` span.
    """

    # What most attempts never change costs them nothing.
    _own = False
    """Whether it is a trace of its own."""
    _sampled = False
    _fields: dict[str, object] | None = None
    _span: Span | None = None
    _root: Span | None = None
    _reference: SpanLink | None = None
    _ended = 0
    _waits = True
    """Whether the `wait` span is not made yet."""
    told_later = False

    def __init__(self, tracing: "Tracing", attempt: Attempt) -> None:
        self._tracing = tracing
        self._attempt = attempt

    def __enter__(self) -> Self:
        attempt, tracing = self._attempt, self._tracing
        self._started = time_ns()
        headers = attempt.headers
        if attempt.number > 1 or attempt.now - attempt.submitted > tracing.joins or LINK in headers:
            self._own = tracing.rule.links(attempt)
        # The fifty-fifth character and last is all that has to be looked at in most cases. Whether the others
        # are as they should be is seen when somebody needs them.
        sampled = _IS_SAMPLED.get(headers.get(TRACEPARENT, "")[54:])
        if sampled is None or self._own or not tracing.follows:
            self._span = self._make_span(parse_headers(headers))
        elif sampled:
            self._sampled = True
        attempt.trace = self  # undone at the end: an attempt is not seen by the garbage collector
        # A dictionary that is no `Context`, which nobody who reads one can tell: 0.4 µs a job.
        self._attached = attach({SPAN_KEY: self, SCOPE_KEY: self})  # type: ignore[arg-type]
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        detach(self._attached)
        self._ended = ended = time_ns()
        attempt = self._attempt
        attempt.trace = None  # no circle is left for the garbage collector
        # Asked here first, because most attempts are not kept.
        if not self.told_later and (
            self._sampled
            or type(attempt.outcome) is not Succeeded
            or attempt.number > 1
            or ended - self._started >= self._tracing.slow
        ):
            self.show_end()

    @property
    def current(self) -> Self:
        """This."""
        return self

    @property
    def span(self) -> Span:
        """The `process` span, made when somebody asks."""
        if self._span is None:
            self._span = self._make_span(parse_headers(self._attempt.headers))
            if self._reference is not None:
                self._span.span_id = self._reference.span_id
        return self._span

    @property
    def reference(self) -> SpanLink:
        """The ids of the `process` span, for which it need not be made."""
        return self._reference or self._refer()

    @property
    def ids(self) -> SpanLink | None:
        """The same, unless lines have another trace to tell of, too."""
        return None if self._own else self._reference or self._refer()

    @property
    def traceparent(self) -> str:
        """The same in W3C form."""
        return self.reference.traceparent

    @property
    def exemplar(self) -> str | None:
        """The trace id, where the trace is sampled or, at the end, turns out to be kept."""
        if not self._sampled:
            nanoseconds = (self._ended or time_ns()) - self._started
            why = self._tracing.rule.keeps(self._attempt, nanoseconds)
            if why is None:
                return None
            self._keep(why)
        return (self._reference or self._refer()).trace_id

    def show_wait(self) -> None:
        """Make the `wait` span, once."""
        if self._waits and self._sampled:
            self._waits = False
            self._wait(self.span).end(self._started)

    def show_end(self) -> None:
        """Make what is not made yet, and end it; of an attempt that has not ended, at its end."""
        if not self._ended:
            self.told_later = False
            return
        if not self._sampled:
            why = self._tracing.rule.keeps(self._attempt, self._ended - self._started)
            if why is None:
                return
            self._keep(why)
        self.show_wait()
        span = self.span
        self._attempt.trace = self.reference
        conclude(span, self._attempt.outcome)
        span.end(self._ended)
        if self._root is not None:
            self._root.end(self._ended)

    def encode_into(self, encoded: list[bytes]) -> bool:
        """Add both spans if there is nothing to be said of them but that all went well; False if there is."""
        attempt, started, ended = self._attempt, self._started, self._ended
        if not (self._sampled and ended and self._waits and type(attempt.outcome) is Succeeded):
            return False
        own = self._reference or self._refer()
        if self._span is not None:
            return False
        attempt.trace = own
        wait, process = self._tracing.sorts.plain(attempt)
        message_id, flags = encode_message_id(attempt.id), own.flags
        trace_id, above = unhexlify(own.trace_id), unhexlify(attempt.headers[TRACEPARENT][36:52])
        waited, ran = new_span_bytes(), unhexlify(own.span_id)
        encoded.append(
            encode_plain_span(trace_id, waited, above, self._due, started, flags, wait + message_id)
        )
        encoded.append(encode_plain_span(trace_id, ran, above, started, ended, flags, process + message_id))
        return True

    def _keep(self, why: str) -> None:
        """Have an attempt recorded that was not sampled."""
        span = self.span
        span.keep()
        self._reference = None  # which says otherwise
        self._sampled, self._waits = True, False
        wait = self._wait(span)
        for kept in (span, wait, self._root):
            if kept is not None:
                kept.flags |= SAMPLED
                kept.note(names.PENSTOCK_KEPT, why)
        wait.end(self._started)

    def _refer(self) -> SpanLink:
        attempt, headers = self._attempt, self._attempt.headers
        if self._span is None and TRACESTATE not in headers and is_traceparent(headers[TRACEPARENT]):
            header = headers[TRACEPARENT]
            # As `_make_span` does it; at its end only because it was sampled or not by this flag.
            flags = int(header[53:55], 16) & (SAMPLED | RANDOM)
            made = SpanLink(header[3:35], new_span_id(), flags, message_id=attempt.id)
        else:
            span = self.span
            made = SpanLink(span.trace_id, span.span_id, span.flags, message_id=attempt.id)
        self._reference = made
        return made

    def _make_span(self, remote: Remote | None) -> Span:
        """The `process` span, in a trace of its own or in that of the submission."""
        tracing, attempt = self._tracing, self._attempt
        sort = tracing.sorts.process(attempt)
        if remote is None or self._own:
            trace_id = new_trace_id()
            flags = tracing.sampling.root(trace_id, sort)
            span = Span(tracing.provider, sort, trace_id, None, flags, self._started)
            self._root = self._make_root(span)
        else:
            trace_id, parent_id = remote.trace_id, remote.span_id
            flags = tracing.sampling.child(trace_id, parent_id, remote.flags, True, sort)
            span = Span(tracing.provider, sort, trace_id, parent_id, flags, self._started)
            span.inherit(True, remote.trace_state)
        span.message_id = attempt.id
        self._sampled = bool(flags & SAMPLED)
        return span

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
        sort = tracing.sorts.attempt(attempt)
        root = Span(tracing.provider, sort, span.trace_id, None, span.flags, self._due)
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
        fields = attempt_fields(self.reference, self._attempt)
        if self._own:
            submitted = trace_id_of(self._attempt.headers)
            if submitted is not None:
                fields["submitted_trace_id"] = submitted
        return fields
