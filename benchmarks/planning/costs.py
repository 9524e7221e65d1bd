"""What one job costs, everywhere it comes by: microseconds of processor time unless it says otherwise."""

from collections.abc import Sequence

import msgspec

from benchmarks.frame.machine import Machine
from benchmarks.planning.fitting import fit


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

    cycle: float
    """Of each turn of its loop: waking, reading, writing the file. Under load many calls share one."""
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


SCRIPTS = ("submit", "claim", "settle")
OFF, ON = "off", "traced, measured, logged"


class Point(msgspec.Struct, frozen=True):
    """What a call of one sort cost the server."""

    script: str
    jobs: int
    cycles: float
    """Turns of the server's loop for each call: less than 1 where several come at once."""
    cost: float


def step_of(sizes: Sequence[float], costs: Sequence[float]) -> Step:
    """The step that comes nearest to `costs` of calls with so many jobs."""
    call, job = fit([(1.0, size) for size in sizes], costs)
    return Step(round(call, 3), round(job, 3))


def server_of(points: Sequence[Point]) -> Server:
    """What comes nearest to all of them; one price of a cycle for every script."""
    rows = [[point.cycles, *(part for name in SCRIPTS for part in _parts(point, name))] for point in points]
    cycle, *steps = (round(price, 3) for price in fit(rows, [point.cost for point in points]))
    return Server(cycle, *(Step(*pair) for pair in zip(steps[::2], steps[1::2], strict=True)))


def _parts(point: Point, script: str) -> tuple[float, float]:
    return (1.0, point.jobs) if point.script == script else (0.0, 0.0)
