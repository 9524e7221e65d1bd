"""One job that somebody wants done: checked, encoded, not stored yet."""

import msgspec

from penstock.engine.names import idempotent_job_id, split_job_id
from penstock.engine.operation import Headers


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
    id: str | None = None
    """The id that its job has already, where the request was stored elsewhere first (`sql_outbox`)."""
    headers: Headers | None = None
    """Its trace context, where it has one already."""
    schedule: str | None = None
    """The schedule that asks for it; None where somebody does."""


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


def own_suffix(request: Request) -> str | None:
    """The part of its job's id behind the queue's name, where the request determines it; None: it is new."""
    if request.id is not None:
        return split_job_id(request.id)[1]
    if request.idempotency_key is None:
        return None
    return split_job_id(idempotent_job_id(request.queue, request.tenant, request.idempotency_key))[1]
