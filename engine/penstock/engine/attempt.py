"""One attempt at one job, as the worker, the handler's context and telemetry see it."""

import msgspec

from penstock.engine.outcome import Outcome


class Attempt(msgspec.Struct, gc=False):
    """The value that flows through the pipeline; `outcome` is filled in at its end.

    Times are seconds since the epoch. `due` is the store's clock, `now` the store's clock at the claim,
    so `now - due` is how long the job had been ready before it was claimed.
    """

    id: str
    job: str
    module: str
    queue: str
    number: int
    """1 for the first."""
    max_attempts: int
    priority: int
    tenant: str | None
    user: str | None
    headers: dict[str, str]
    """As `around_submit` returned them: trace context."""
    submitted: float
    due: float
    now: float
    worker: str
    waited: float
    """Seconds from due to the start of the handler, the buffer of this worker included."""
    outcome: Outcome | None = None
