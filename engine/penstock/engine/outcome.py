"""How an attempt can end: a closed set.

`Retry` and `Dead` are exceptions as well, because a handler raises them to say so itself:
`raise Retry(delay=30)` asks for another attempt, `raise Dead("no such customer")` for none.
"""

from typing import Any

import msgspec

from penstock.engine.job import JobError


class Succeeded(msgspec.Struct, frozen=True, gc=False):
    """The handler returned; `result` is its msgpack."""

    result: msgspec.Raw


class Retry(Exception):
    """Another attempt, `delay` seconds from now (None: as the job's policy says).

    Raised by a handler it counts as an attempt; once `retries` are used up it ends the job as dead.
    """

    def __init__(
        self, reason: str = "", *, delay: float | None = None, error: JobError | None = None
    ) -> None:
        super().__init__(reason)
        self.reason = reason
        self.delay = None if delay is None else float(delay)
        self.error = error


class Dead(Exception):
    """No further attempt: the job becomes a dead letter with this reason."""

    def __init__(self, reason: str, *, error: JobError | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.error = error


class Cancelled(msgspec.Struct, frozen=True, gc=False):
    """Somebody asked for it while it ran."""


class Expired(msgspec.Struct, frozen=True, gc=False):
    """Its last moment to start had passed."""


class Released(msgspec.Struct, frozen=True, gc=False):
    """Given back unfinished, no attempt consumed: the worker is leaving, or does not know the job."""

    reason: str  # "shutdown" | "unknown_job" | "newer_record"


class Lost(msgspec.Struct, frozen=True, gc=False):
    """The lease ended under it: another worker has the job, and nothing is settled from here."""


Outcome = Succeeded | Retry | Dead | Cancelled | Expired | Released | Lost

_NAMES: dict[type[Any], str] = {
    Succeeded: "succeeded",
    Retry: "retry",
    Dead: "dead",
    Cancelled: "cancelled",
    Expired: "expired",
    Released: "released",
    Lost: "lost",
}


def outcome_name(outcome: Outcome) -> str:
    """The word for an outcome in events, metrics and logs."""
    return _NAMES[type(outcome)]
