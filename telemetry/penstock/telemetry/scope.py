"""What surrounds the code that runs now: one context variable with the fields of the running job or request.

Trio copies context into nursery children and into `trio.to_thread`, so a line logged anywhere below a
handler finds the fields here. They are put together when the first line asks for them. System tasks and items
sent through memory channels do not carry context.
"""

from collections.abc import Generator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Self

from opentelemetry.context import Context, get_current
from opentelemetry.trace import Span as ApiSpan
from opentelemetry.trace import get_current_span

from penstock.engine.attempt import Attempt
from penstock.telemetry.traces.otlp import SpanLink
from penstock.telemetry.traces.span import Span

_FLAGS = tuple(f"{flags:02x}" for flags in range(256))


def span_fields(span: Span | SpanLink | None) -> dict[str, object]:
    """The ids and flags of a span in hex, unsampled ones too; nothing where tracing is disabled."""
    if span is None:
        return {}
    return {"trace_id": span.trace_id, "span_id": span.span_id, "trace_flags": _FLAGS[span.flags]}


def attempt_fields(span: Span | SpanLink | None, attempt: Attempt) -> dict[str, object]:
    """What stands on every line inside an attempt."""
    fields = span_fields(span)
    fields["job_id"] = attempt.id
    fields["job"] = attempt.job
    fields["module"] = attempt.module
    fields["queue"] = attempt.queue
    fields["attempt"] = attempt.number
    if attempt.tenant is not None:
        fields["tenant_id"] = attempt.tenant
    if attempt.user is not None:
        fields["user_id"] = attempt.user
    if attempt.logged is not None:
        fields["args"] = attempt.logged  # cut, and without secrets, by `logs/values.py`
    return fields


class Scope:
    """The job or request that runs here."""

    def __init__(self, span: Span | None, fields: dict[str, object] | None = None) -> None:
        self._span = span
        self.context: Context | None = None
        """OpenTelemetry's context in which `span` is the current one, where it is known."""
        self.told_later = False
        """Whether what can wait is shown by somebody else (`ledger.py`)."""
        self._fields: dict[str, object] | None = None
        if fields is not None:
            self._fields = {**span_fields(span), **fields}

    @property
    def span(self) -> Span | None:
        """The span of the whole job or request; None where tracing is disabled."""
        return self._span

    @property
    def current(self) -> ApiSpan | None:
        """What OpenTelemetry knows as the current span while nothing inside has one of its own."""
        return self._span

    @property
    def fields(self) -> Mapping[str, object]:
        """Stand on every log line, unless the line says otherwise itself."""
        if self._fields is None:
            self._fields = self._make_fields()
        return self._fields

    @property
    def exemplar(self) -> str | None:
        """The trace id, where that trace is sampled: an exemplar must lead to a trace that exists."""
        return self._span.trace_id if self._span is not None and self._span.sampled else None

    @property
    def ids(self) -> SpanLink | None:
        """The ids that stand on the lines of an attempt, where these have no other fields than most."""
        return None

    def encode_into(self, _encoded: list[bytes], /) -> bool:
        """Add the spans of an attempt of which there is nothing to say but that it went well; else False."""
        return False

    def show_wait(self) -> None:
        """Show that a job has been waited for, where that was left for later."""

    def show_end(self) -> None:
        """Show how an attempt ended, where that was left for later."""

    def _make_fields(self) -> dict[str, object]:
        return span_fields(self._span)


class UntracedAttempt(Scope):
    """The scope of one attempt where tracing is disabled."""

    def __init__(self, attempt: Attempt) -> None:
        super().__init__(None)
        self._attempt = attempt

    def __enter__(self) -> Self:
        self._entered = enter(self)
        return self

    def __exit__(self, *_: object) -> None:
        leave(self._entered)

    def _make_fields(self) -> dict[str, object]:
        return attempt_fields(None, self._attempt)


_OUTSIDE = Scope(None, {})
_current: ContextVar[Scope] = ContextVar("penstock.telemetry.scope", default=_OUTSIDE)

current_scope = _current.get
enter = _current.set
"""Make a scope the current one, until the token is given to `leave`."""
leave = _current.reset


def current_fields() -> Mapping[str, object]:
    """The fields that a line written here carries: of the job or request, and of the innermost span."""
    scope = _current.get()
    around = get_current()
    if around is scope.context:
        return scope.fields
    innermost = get_current_span(around)
    if innermost is scope.current:
        return scope.fields
    context = innermost.get_span_context()
    if not context.is_valid:
        return scope.fields
    ids = {
        "trace_id": f"{context.trace_id:032x}",
        "span_id": f"{context.span_id:016x}",
        "trace_flags": f"{context.trace_flags:02x}",
    }
    return {**scope.fields, **ids}


@contextmanager
def entered(scope: Scope) -> Generator[None]:
    """Make `scope` the current one; always undone, whatever ends the block."""
    token = enter(scope)
    try:
        yield
    finally:
        leave(token)
