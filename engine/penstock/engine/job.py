"""The life of a job: its states, every legal move between them, and what a reader sees of it.

Rule: whatever decides whether a job may go from one state to another is the table `MOVES`. Both
stores are tested against it and the diagram in docs/job-life.md is generated from it.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Any

import msgspec


class JobState(StrEnum):
    """Where a job is in its life. The words are the ones stored in Redis."""

    BLOCKED = "blocked"  # waits for other jobs
    SCHEDULED = "scheduled"  # due later: delayed, or waiting for its next attempt
    READY = "ready"  # may be claimed now
    PARKED = "parked"  # no worker here knows it, or a limit is reached
    RUNNING = "running"  # claimed; it lives in the running hash of one worker
    SUCCEEDED = "succeeded"
    DEAD = "dead"
    CANCELLED = "cancelled"
    EXPIRED = "expired"

    @property
    def final(self) -> bool:
        """True where the life has ended (a dead letter can still be put back by hand)."""
        return self in FINAL


FINAL = frozenset({JobState.SUCCEEDED, JobState.DEAD, JobState.CANCELLED, JobState.EXPIRED})

_S = JobState
MOVES: Mapping[tuple[JobState, JobState], str] = {
    (_S.BLOCKED, _S.READY): "the last job it waits for has ended",
    (_S.BLOCKED, _S.CANCELLED): "cancelled while it waited",
    (_S.SCHEDULED, _S.READY): "it is due",
    (_S.SCHEDULED, _S.CANCELLED): "cancelled before it was due",
    (_S.READY, _S.RUNNING): "claimed by a worker with a live lease",
    (_S.READY, _S.CANCELLED): "cancelled while it waited",
    (_S.PARKED, _S.READY): "offered again to workers that may know it",
    (_S.PARKED, _S.CANCELLED): "cancelled while it was parked",
    (_S.RUNNING, _S.SUCCEEDED): "the handler returned",
    (_S.RUNNING, _S.SCHEDULED): "the attempt failed; the next one is due later",
    (_S.RUNNING, _S.READY): "given back, retried at once, or reaped from a worker that died",
    (_S.RUNNING, _S.PARKED): "this worker does not know the job",
    (
        _S.RUNNING,
        _S.DEAD,
    ): "no attempts left, or it may not be retried, or it crashed too many workers",
    (_S.RUNNING, _S.CANCELLED): "cancelled while it ran",
    (_S.RUNNING, _S.EXPIRED): "too late to start",
    (_S.DEAD, _S.READY): "requeued by hand",
}


def legal(before: JobState, after: JobState) -> bool:
    """Whether a job may go from `before` to `after` in one step."""
    return (before, after) in MOVES


class JobError(msgspec.Struct, frozen=True, array_like=True):
    """Why an attempt failed, as kept in the record: bounded text, never local variables."""

    type: str  # canonical class name, `module.Class`
    message: str
    traceback: str = ""
    attempt: int = 0
    """Which attempt failed, 1 for the first; 0 where none had begun."""
    worker: str = ""
    """Who ran it, or found it out."""
    traceparent: str = ""
    """The span of that attempt in W3C form, where telemetry was on."""
    fingerprint: str = ""
    """Equal for equal failures."""

    @property
    def trace_id(self) -> str | None:
        """The trace that tells of the attempt (32 hex digits)."""
        return trace_id_of({"traceparent": self.traceparent})


class Job(msgspec.Struct, frozen=True, kw_only=True):
    """What the store knows about one job at one moment. Times are seconds since the epoch, server clock."""

    id: str
    queue: str
    job: str
    state: JobState
    attempt: int
    """The number of the attempt that runs, or of attempts that have ended."""
    crashes: int
    priority: int
    tenant: str | None
    user: str | None
    submitted_at: float
    due_at: float
    ended_at: float | None
    started_at: float | None
    worker: str | None
    args: dict[str, Any]
    result: Any
    error: JobError | None
    """Of the last attempt that failed, also while the next one waits."""
    headers: dict[str, str]

    @property
    def trace_id(self) -> str | None:
        """The trace this job belongs to, from its W3C `traceparent` header (32 hex digits)."""
        return trace_id_of(self.headers)


def trace_id_of(headers: Mapping[str, str]) -> str | None:
    """Read the trace id from a W3C `traceparent` (Trace Context level 1, §3.2.2); None without one."""
    parts = headers.get("traceparent", "").split("-")
    return parts[1] if len(parts) >= 4 and len(parts[1]) == 32 else None
