"""What surrounds the code that runs now: one context variable with the fields of the running job or request.

Trio copies context into nursery children and into `trio.to_thread`, so a line logged anywhere below a
handler finds the fields here. They are formatted once when the job or request begins; reading them
costs one look-up. System tasks and items sent through memory channels do not carry context.
"""

from collections.abc import Generator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar

import msgspec
from opentelemetry.trace import SpanContext

from penstock.engine.attempt import Attempt


class Scope(msgspec.Struct, frozen=True, gc=False):
    """The job or request that runs here."""

    fields: Mapping[str, object]
    """Stand on every log line, unless the line says otherwise itself."""
    exemplar: str | None = None
    """The trace id, where that trace is sampled: an exemplar must lead to a trace that exists."""


_OUTSIDE = Scope({})
_current: ContextVar[Scope] = ContextVar("penstock.telemetry.scope", default=_OUTSIDE)

current_scope = _current.get


@contextmanager
def entered(scope: Scope) -> Generator[None]:
    """Make `scope` the current one; always undone, whatever ends the block."""
    token = _current.set(scope)
    try:
        yield
    finally:
        _current.reset(token)


def job_scope(attempt: Attempt, span: SpanContext) -> Scope:
    """The scope of one attempt; `span` is its process span."""
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
    return Scope(fields, exemplar_of(span))


def request_scope(method: str, path: str, span: SpanContext) -> Scope:
    """The scope of one HTTP request; `span` is its server span."""
    fields = span_fields(span)
    fields["method"] = method
    fields["path"] = path
    return Scope(fields, exemplar_of(span))


def span_fields(span: SpanContext) -> dict[str, object]:
    """`trace_id` and `span_id` in hex, unsampled ones too; nothing where tracing is disabled."""
    if not span.is_valid:
        return {}
    return {"trace_id": f"{span.trace_id:032x}", "span_id": f"{span.span_id:016x}"}


def exemplar_of(span: SpanContext) -> str | None:
    """The trace id in hex if the trace is sampled."""
    return f"{span.trace_id:032x}" if span.is_valid and span.trace_flags.sampled else None
