"""How one worker works."""

import msgspec

from penstock.engine.errors import ConfigurationError


class WorkerSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Seconds throughout."""

    concurrency: int = 64
    """Jobs that run at once."""
    lease: float = 15.0
    """How long after a worker's death its jobs are taken over; renewed every third of it."""
    grace: float = 25.0
    """How long running jobs may go on once draining, before they are cancelled and given back."""
    max_crashes: int = 3
    """Workers a job may take down with it before it is a dead letter."""

    def __post_init__(self) -> None:
        """Raise `ConfigurationError` for what cannot work."""
        if not 1 <= self.concurrency <= 10_000:
            raise ConfigurationError(f"concurrency is {self.concurrency}: expected 1 to 10000 jobs at once")
        if not 0.5 <= self.lease <= 3600:
            raise ConfigurationError(f"lease is {self.lease}: expected 0.5 to 3600 seconds")
        if self.grace < 0 or self.max_crashes < 1:
            raise ConfigurationError("grace must not be negative, and max_crashes is at least 1")
