"""What one job costs, everywhere it comes by: microseconds of processor time unless it says otherwise."""

from collections.abc import Sequence

import msgspec

from benchmarks.frame.machine import Machine


class Step(msgspec.Struct, frozen=True):
    """One sort of call, with any number of jobs in it."""

    call: float
    """Of each call, however many jobs are in it."""
    job: float
    """Of each job in it, on top."""

    def of(self, jobs: float) -> float:
        """Of a call with so many jobs."""
        return self.call + self.job * jobs


class Server(msgspec.Struct, frozen=True):
    """Of the thread that runs commands, of which a server has one."""

    submit: Step
    claim: Step
    settle: Step


class Bytes(msgspec.Struct, frozen=True):
    """Of one job in its whole life."""

    received: float  # by the server
    sent: float
    append_only: float
    waiting: float  # of the server's memory while it waits
    ended: float  # from its end until its record expires
    arguments: int
    """What was in its record: bytes of its arguments, as msgpack."""


class Costs(msgspec.Struct, frozen=True, kw_only=True):
    """All that planning is made of."""

    date: str
    machine: Machine
    versions: dict[str, str]
    server: Server
    worker: dict[str, Step]
    """By what watches it, `OFF` or `ON`; `call` is one round trip."""
    client: Step
    """Submitting from Python."""
    request: float
    """Of an API process for one submission by itself."""
    line: float
    """Of an API process for one submission among many in one request."""
    sync: float
    """Milliseconds that the disk takes to keep what was written (`appendfsync always`)."""
    bytes: Bytes


OFF, ON = "off", "traced, measured, logged"


def fit(sizes: Sequence[float], costs: Sequence[float]) -> Step:
    """The step that comes nearest to `costs` of calls with so many jobs, in proportion.

    Least squares of the relative errors, or calls with many jobs would decide alone. Neither part is below
    zero.
    """
    weights = [1 / cost**2 for cost in costs]
    total = sum(weights)
    x = sum(weight * size for weight, size in zip(weights, sizes, strict=True))
    y = sum(weight * cost for weight, cost in zip(weights, costs, strict=True))
    xx = sum(weight * size * size for weight, size in zip(weights, sizes, strict=True))
    xy = sum(weight * s * c for weight, s, c in zip(weights, sizes, costs, strict=True))
    slope = (total * xy - x * y) / (total * xx - x * x)
    call = (y - slope * x) / total
    if call < 0:
        return Step(0.0, round(xy / xx, 3))
    if slope < 0:
        return Step(round(y / total, 3), 0.0)
    return Step(round(call, 3), round(slope, 3))
