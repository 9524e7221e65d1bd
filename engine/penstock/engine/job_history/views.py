"""What the history tells of a job."""

from typing import Any

import msgspec
from sqlalchemy import Row

from penstock.engine.job import JobError, JobState


class PastAttempt(msgspec.Struct, frozen=True, kw_only=True):
    """One attempt that has ended. Times are seconds since the epoch."""

    attempt: int
    """1 for the first; 0 stands for a job that failed before any had begun."""
    state: JobState
    """Of the job, after it."""
    started_at: float | None
    ended_at: float
    worker: str | None
    trace_id: str | None
    error: JobError | None


class PastJob(msgspec.Struct, frozen=True, kw_only=True):
    """One finished job. Times are seconds since the epoch."""

    id: str
    queue: str
    job: str
    module: str
    state: JobState
    attempt: int
    """Attempts that ended."""
    priority: int
    tenant: str | None
    user: str | None
    submitted_at: float
    started_at: float | None
    """Of the last attempt."""
    ended_at: float
    worker: str | None
    trace_id: str | None
    error: JobError | None
    """Of the last ending; its traceback stands with the attempt."""
    result: bytes | None
    """msgpack, where results are kept."""
    attempts: tuple[PastAttempt, ...] = ()
    """In order; empty in pages of a search."""


def past_job(row: Row[Any], attempts: tuple[PastAttempt, ...] = ()) -> PastJob:
    """Read a row of `jobs`."""
    return PastJob(
        id=row.id,
        queue=row.queue,
        job=row.job,
        module=row.module,
        state=JobState(row.state),
        attempt=row.attempt,
        priority=row.priority,
        tenant=row.tenant,
        user=row.user_name,
        submitted_at=row.submitted_ms / 1000,
        started_at=_seconds(row.started_ms),
        ended_at=row.ended_ms / 1000,
        worker=row.worker,
        trace_id=row.trace_id,
        error=_error(row, row.attempt, ""),
        result=row.result,
        attempts=attempts,
    )


def past_attempt(row: Row[Any]) -> PastAttempt:
    """Read a row of `attempts`."""
    return PastAttempt(
        attempt=row.attempt,
        state=JobState(row.state),
        started_at=_seconds(row.started_ms),
        ended_at=row.ended_ms / 1000,
        worker=row.worker,
        trace_id=row.trace_id,
        error=_error(row, row.attempt, row.error_traceback or ""),
    )


def _error(row: Row[Any], attempt: int, traceback: str) -> JobError | None:
    if row.error_type is None:
        return None
    return JobError(
        row.error_type,
        row.error_message,
        traceback,
        attempt=attempt,
        worker=row.worker or "",
        fingerprint=row.error_fingerprint or "",
    )


def _seconds(milliseconds: int | None) -> float | None:
    return None if milliseconds is None else milliseconds / 1000
