"""How a span says that what it stands for did not succeed: a status and `error.type`, never silence."""

from typing import Any

from opentelemetry.trace import Status, StatusCode

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
from penstock.telemetry.traces import attributes as names
from penstock.telemetry.traces.span import Span

_REASONS: dict[type[Any], tuple[str, str]] = {
    Lost: ("lease_lost", "the lease ended, another worker has the job"),
    Cancelled: ("cancelled", "somebody asked for it"),
    Expired: ("expired", "its last moment to start had passed"),
}


def conclude(span: Span, outcome: Outcome | None) -> None:
    """Say how an attempt ended: success leaves the status unset, as the conventions want."""
    if outcome is None:
        fail(span, names.ERROR_TYPE_OTHER, "the attempt was left without an outcome")
        return
    span.sort = span.sort.having(names.PENSTOCK_OUTCOME, outcome_name(outcome))
    if isinstance(outcome, Succeeded):
        return
    if isinstance(outcome, Retry | Dead):
        _conclude_failure(span, outcome)
    elif isinstance(outcome, Released):
        fail(span, outcome.reason, "given back unfinished")
    else:
        fail(span, *_REASONS[type(outcome)])


def fail(span: Span, error_type: str, description: str = "") -> None:
    """Mark `span` as failed, in the conventions' two places."""
    span.note(names.ERROR_TYPE, error_type)
    span.set_status(Status(StatusCode.ERROR, description or None))


def canonical_name(error: BaseException) -> str:
    """`module.Class`, as `error.type` wants it; of the one error inside a group of one."""
    while isinstance(error, BaseExceptionGroup) and len(error.exceptions) == 1:
        error = error.exceptions[0]
    kind = type(error)
    return kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"


def _conclude_failure(span: Span, outcome: Retry | Dead) -> None:
    error = outcome.error
    if error is None:  # the handler raised the outcome itself
        fail(span, outcome_name(outcome), outcome.reason)
        return
    if error.fingerprint:
        span.note(names.PENSTOCK_FINGERPRINT, error.fingerprint)
    fail(span, error.type, error.message)
