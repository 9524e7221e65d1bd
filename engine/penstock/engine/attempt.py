"""One attempt at one job, as the worker, the handler's context and telemetry see it."""

from collections.abc import Mapping
from typing import Protocol

import msgspec

from penstock.engine.outcome import Outcome


class Trace(Protocol):
    """Where an attempt is told of: given by telemetry, kept with its errors, opaque to the engine."""

    @property
    def traceparent(self) -> str:
        """The attempt's span in W3C form (Trace Context level 1, §3.2)."""
        ...


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
    logged: Mapping[str, object] | None = None
    """Arguments of parameters that are `Logged`; None where there are none."""
    crashes: int = 0
    """Workers that died while they held the job."""
    previous: str | None = None
    """`traceparent` of the attempt that failed before this one, where it left one."""
    outcome: Outcome | None = None
    trace: Trace | None = None
    """Set by `around_attempt` on entering, where telemetry is on."""
