"""What a handler is given beside its arguments."""

import msgspec


class JobContext(msgspec.Struct, frozen=True, kw_only=True):
    """The attempt that is running, read-only."""

    __penstock_context__ = True

    id: str
    job: str
    module: str
    queue: str
    attempt: int
    """1 for the first."""
    max_attempts: int
    tenant: str | None
    user: str | None
    worker: str
    headers: dict[str, str]
    """Trace context as it was submitted; opaque to the engine."""
    submitted_at: float
    """Seconds since the epoch, the store's clock."""
