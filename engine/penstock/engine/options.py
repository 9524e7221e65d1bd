"""What a job says of itself once, and what one submission may say beyond it."""

import msgspec

from penstock.engine.errors import InvalidRequest
from penstock.engine.limits import MAX_DELAY, MAX_KEY, MAX_REPLICAS, RESULT_TTL
from penstock.engine.names import check_priority, check_queue, check_tenant, check_text
from penstock.engine.retry import Backoff


class Policy(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How a job is run. Seconds throughout."""

    queue: str = "default"
    priority: int = 0
    timeout: float = 300.0
    """A handler that runs longer, at most by a part of 128, is cancelled and the attempt has failed."""
    retries: int = 3
    """Attempts after the first."""
    backoff: Backoff = Backoff()
    result_ttl: float = RESULT_TTL
    durable: bool = False
    """A submission is acknowledged only once it is on the server's disk."""
    wait_replicas: int = 0
    """A submission is acknowledged only once so many replicas have it."""

    def check(self) -> None:
        """Raise `InvalidRequest` naming the first field that is out of its range."""
        check_queue(self.queue)
        check_priority(self.priority)
        if not self.timeout > 0:
            raise _out_of_range("timeout", self.timeout, "a positive number of seconds")
        if self.retries < 0:
            raise _out_of_range("retries", self.retries, "0 or more")
        if not 0.001 <= self.result_ttl <= MAX_DELAY:
            raise _out_of_range("result_ttl", self.result_ttl, f"0.001 to {MAX_DELAY:.0f} seconds")
        _check_replicas(self.wait_replicas)


class Options(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What one submission may say beyond its arguments; None leaves it as the job declares."""

    queue: str | None = None
    priority: int | None = None
    delay: float = 0.0
    run_at: float | None = None
    expires_in: float | None = None
    unique_key: str | None = None
    idempotency_key: str | None = None
    tenant: str | None = None
    user: str | None = None
    durable: bool | None = None
    wait_replicas: int | None = None

    def check(self) -> None:
        """Raise `InvalidRequest` naming the first field that is out of its range."""
        if self.queue is not None:
            check_queue(self.queue)
        if self.priority is not None:
            check_priority(self.priority)
        check_tenant(self.tenant)
        self._check_times()
        if self.wait_replicas is not None:
            _check_replicas(self.wait_replicas)
        for field in ("unique_key", "idempotency_key", "user"):
            text: str | None = getattr(self, field)
            if text is not None:
                check_text(field, text, MAX_KEY)

    def _check_times(self) -> None:
        if not 0 <= self.delay <= MAX_DELAY:
            raise _out_of_range("delay", self.delay, f"0 to {MAX_DELAY:.0f} seconds")
        if self.expires_in is not None and not 0 < self.expires_in <= MAX_DELAY:
            raise _out_of_range("expires_in", self.expires_in, f"0 to {MAX_DELAY:.0f} seconds")
        if self.run_at is not None and not 0 <= self.run_at < 1e11:  # year 5138: surely milliseconds
            raise _out_of_range("run_at", self.run_at, "seconds since the epoch")


def _check_replicas(count: int) -> None:
    if not 0 <= count <= MAX_REPLICAS:
        raise _out_of_range("wait_replicas", count, f"0 to {MAX_REPLICAS} replicas")


def _out_of_range(field: str, value: object, expected: str) -> InvalidRequest:
    return InvalidRequest(f"{field} is {value}: expected {expected}", field=field)
