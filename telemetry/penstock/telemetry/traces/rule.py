"""Which attempts go on in the trace of their submission, and which are traces of their own with a link to it.

The messaging conventions prefer links, and allow the creation context as parent where one message is
processed alone. One trace is what people want of a request and the job it asked for; a retry an hour later,
or the ten thousand jobs of one batch, in one trace are what no trace store and no reader can use.
"""

import math
from collections.abc import Sequence
from typing import Literal, get_args

import msgspec

from penstock.engine.attempt import Attempt
from penstock.engine.errors import ConfigurationError
from penstock.engine.outcome import Dead, Retry, Succeeded
from penstock.engine.request import Request
from penstock.telemetry.traces.carriers import LINK

TraceMode = Literal["auto", "parent", "link"]


class TraceRule(msgspec.Struct, frozen=True, kw_only=True):
    """How attempts are traced."""

    mode: TraceMode = "auto"
    """`parent`: always in the submission's trace; `link`: never; `auto`: a first attempt that starts soon."""
    soon: float = 300.0
    """Seconds from submission to start, for `auto`."""
    slow: float = 10.0
    """Seconds from which on an attempt is kept though its trace is not sampled."""

    def __post_init__(self) -> None:
        if self.mode not in get_args(TraceMode) or not (self.soon >= 0 and self.slow >= 0):
            raise ConfigurationError(
                f"trace rule {self.mode!r}, soon {self.soon:g} s, slow {self.slow:g} s: "
                "expected auto, parent or link, and no negative seconds"
            )

    def of_submission(self, requests: Sequence[Request]) -> dict[str, str]:
        """What the records of jobs submitted at once say beside the trace context.

        What a schedule asks for is nobody's request: each run of it is a trace of its own.
        """
        if self.mode != "auto":
            return {}
        if requests[0].schedule is not None:
            return {LINK: "schedule"}
        return {LINK: "batch"} if len(requests) > 1 else {}

    def joins(self) -> float:
        """Seconds from its submission within which a first attempt is in that trace, if no header speaks."""
        return {"auto": self.soon, "parent": math.inf, "link": -math.inf}[self.mode]

    def links(self, attempt: Attempt) -> bool:
        """Whether `attempt` is a trace of its own."""
        if self.mode != "auto":
            return self.mode == "link"
        return attempt.number > 1 or attempt.now - attempt.submitted > self.soon or LINK in attempt.headers

    def keeps(self, attempt: Attempt, nanoseconds: int) -> str | None:
        """Why an attempt that ran so long and is not sampled is kept all the same.

        None where it is not, or has not ended.
        """
        kind = type(attempt.outcome)
        if kind is not Succeeded:
            if kind is Retry:
                return "retried"
            if kind is Dead:
                return "dead"
            if attempt.outcome is None:
                return None
        if attempt.number > 1:
            return "retry"
        return "slow" if nanoseconds >= self.slow * 1e9 else None
