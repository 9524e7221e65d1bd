"""The one fact that telemetry reports itself, beside the engine's events: a request was answered."""

import msgspec


class RequestServed(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """One HTTP request has ended. Emitted inside its scope, so that lines and exemplars find its trace."""

    method: str
    """One of the methods HTTP knows, else `_OTHER`."""
    route: str | None
    """The template that matched, never the path; None where nothing did."""
    status: int
    """500 where the application raised before it answered, 499 where the client left before that."""
    seconds: float
    tenant: str | None = None
    user: str | None = None
    job_id: str | None = None
    probe: bool = False
    """A health check or a scrape: of no interest to a human."""
