"""One job that somebody wants done: checked, encoded, not stored yet."""

import msgspec


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """Made by `JobDefinition.request` or `Registry.request`; handed to `Client.submit_many`.

    Times are seconds. `run_at` is seconds since the epoch and wins over `delay`.
    """

    job: str
    queue: str
    args: msgspec.Raw
    """The validated arguments as a msgpack map."""
    priority: int = 0
    delay: float = 0.0
    run_at: float | None = None
    expires_in: float | None = None
    """Counted from the moment of submission, on the server's clock."""
    unique_key: str | None = None
    idempotency_key: str | None = None
    tenant: str | None = None
    user: str | None = None
    durable: bool = False
    """Acknowledged only once it is on the server's disk."""
    wait_replicas: int = 0
    """Acknowledged only once so many replicas have it."""


class Receipt(msgspec.Struct, frozen=True, kw_only=True):
    """What the store acknowledged: the job exists."""

    id: str
    queue: str
    job: str
    state: str
    duplicate: bool = False
    """An older job with the same idempotency or unique key stands for this request; `id` is that job's."""
    conflict: bool = False
    """The idempotency key was used before, for another job or other arguments: nothing was stored."""
    trace_id: str | None = None
