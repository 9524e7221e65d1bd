"""What is told of a job when an attempt of it has ended: to the history, the event bus, whoever asks."""

import msgspec

from penstock.engine.job import JobError, JobState


class JobEnding(msgspec.Struct, frozen=True, kw_only=True):
    """One attempt that has ended, and with it perhaps the job. Times are seconds since the epoch.

    The same ending may be told more than once: (`id`, `attempt`) tells whether it is known already, and of
    two endings of one job the one with the greater attempt is the later one.
    """

    id: str
    """`<queue>.<28 hex digits>`."""
    queue: str
    job: str
    """The name of the job as its module declares it: `module.job`."""
    module: str
    state: JobState
    """After the attempt: a final one, or `scheduled` or `ready` where another attempt follows."""
    attempt: int
    """Attempts that have ended, this one included; 0 for a job that ended before any had begun."""
    submitted_at: float
    """On the store's clock."""
    ended_at: float
    """When this attempt ended; of a final state, the store's clock."""
    event_id: str
    """The entry of the stream that told it; whoever tells endings otherwise makes one up."""
    started_at: float | None = None
    """When this attempt started, on the worker's clock; None where none did."""
    priority: int = 0
    tenant: str | None = None
    user: str | None = None
    worker: str | None = None
    error: JobError | None = None
    """Of this attempt, or of the last one that failed."""
    trace_id: str | None = None
    """The trace that the job belongs to (32 hex digits)."""
    result: bytes | None = None
    """msgpack; None where it is not to be told."""
