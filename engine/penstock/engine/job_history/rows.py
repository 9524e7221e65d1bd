"""From endings to rows, bounded and cleaned: what comes out of here no database refuses.

A row that is refused would be refused each time, and everything behind it would wait for ever.
"""

from collections.abc import Sequence
from typing import Any

from penstock.engine.job_ending import JobEnding
from penstock.engine.limits import MAX_ERROR_MESSAGE, MAX_RESULT, MAX_TRACEBACK

Rows = list[dict[str, Any]]

MAX_TEXT = 400
"""Characters of any other text: twice what the longest of them (`limits.MAX_KEY`) may have."""
MAX_INTEGER = 2**31 - 1
"""PostgreSQL's INTEGER."""
MAX_TIME = 2**53
"""Milliseconds: floats count them one by one so far, for 285,000 years."""


def rows_of(endings: Sequence[JobEnding], *, results: bool) -> tuple[Rows, Rows]:
    """Rows for `jobs` and `attempts`, by id: two processes that write the same rows wait in one order."""
    endings = sorted(endings, key=lambda ending: (ending.id, ending.attempt, ending.ended_at))
    jobs = [_job_row(ending, results=results) for ending in endings if ending.state.final]
    attempts = [_attempt_row(ending) for ending in endings if ending.attempt > 0 or ending.error is not None]
    return jobs, attempts


def clean(text: str, most: int = MAX_TEXT) -> str:
    """At most `most` characters, none of them one that PostgreSQL cannot store (NUL) or UTF-8 write."""
    text = text[:most]
    if text.isascii() and "\0" not in text:
        return text
    return text.replace("\0", "\ufffd").encode("utf-8", "replace").decode()


def _job_row(ending: JobEnding, *, results: bool) -> dict[str, Any]:
    kept = ending.result if results and len(ending.result or b"") <= MAX_RESULT else None
    row = _common(ending)
    row.update(
        id=clean(ending.id),
        queue=clean(ending.queue),
        job=clean(ending.job),
        module=clean(ending.module),
        priority=min(max(ending.priority, 0), 9),
        tenant=_optional(ending.tenant),
        user_name=_optional(ending.user),
        submitted_ms=milliseconds(ending.submitted_at),
        trace_id=_optional(ending.trace_id),
        result=kept,
        event_id=clean(ending.event_id),
    )
    return row


def _attempt_row(ending: JobEnding) -> dict[str, Any]:
    error = ending.error
    row = _common(ending)
    row["job_id"] = clean(ending.id)
    row["trace_id"] = _optional((error.trace_id if error is not None else None) or ending.trace_id)
    # The innermost frames come last in a traceback, and are what one looks for.
    row["error_traceback"] = clean(error.traceback[-MAX_TRACEBACK:], MAX_TRACEBACK) if error else None
    return row


def _common(ending: JobEnding) -> dict[str, Any]:
    error = ending.error
    return {
        "state": ending.state.value,
        "attempt": min(max(ending.attempt, 0), MAX_INTEGER),
        "started_ms": None if ending.started_at is None else milliseconds(ending.started_at),
        "ended_ms": milliseconds(ending.ended_at),
        "worker": _optional(ending.worker),
        "error_type": clean(error.type) if error is not None else None,
        "error_message": clean(error.message, MAX_ERROR_MESSAGE) if error is not None else None,
        "error_fingerprint": clean(error.fingerprint) if error is not None else None,
    }


def milliseconds(seconds: float) -> int:
    """The nearest one that can be stored; 0 for what is no number."""
    if not 0 < seconds < MAX_TIME / 1000:
        return MAX_TIME if seconds > 0 else 0
    return round(seconds * 1000)


def _optional(text: str | None) -> str | None:
    return None if text is None else clean(text)
