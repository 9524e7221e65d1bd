"""What surrounds the code that runs now: the job or request, with the fields of its log lines.

It stands in OpenTelemetry's context, beside the current span. Trio copies context into nursery children and
into `trio.to_thread`, so a line logged anywhere below a handler finds the fields here. They are put together
when the first line asks for them. System tasks and items sent through memory channels do not carry context.
"""

from collections.abc import Generator, Mapping
from contextlib import contextmanager
from contextvars import Token
from typing import Self, cast

from opentelemetry.context import Context
from opentelemetry.trace import Span as ApiSpan
from opentelemetry.trace import get_current_span

from penstock.engine.attempt import Attempt
from penstock.telemetry.context import SCOPE_KEY, SPAN_KEY, attach, current, detach
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


def current_scope() -> Scope:
    """The innermost scope around the code that runs here."""
    return current().get(SCOPE_KEY, _OUTSIDE)  # type: ignore[return-value]  # `cast` is a call, several a job


def enter(scope: Scope) -> Token[Context]:
    """Make a scope the current one, until the token is given to `leave`."""
    return attach(Context({**current(), SCOPE_KEY: scope}))


leave = detach


def current_fields() -> Mapping[str, object]:
    """The fields that a line written here carries: of the job or request, and of the innermost span."""
    around = current()
    scope = cast(Scope, around.get(SCOPE_KEY, _OUTSIDE))
    if around.get(SPAN_KEY) is scope.current:
        return scope.fields
    context = get_current_span(around).get_span_context()
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
