"""Which faults come when: a pure function of the seed and the length of the run."""

import random
from collections.abc import Iterator
from typing import Literal

import msgspec

WORKERS = tuple(f"worker-{number}" for number in range(1, 5))
SUBMITTERS = ("submitter-1", "submitter-2")
LEASE = 2.5
"""Seconds: short, so that a minute holds many recoveries."""

Kind = Literal["kill", "stop", "drain", "partition", "crash", "stall", "blip"]
"""kill: SIGKILL, started again. stop: SIGSTOP, then SIGCONT. drain: SIGTERM, started again. partition: what
this process sends and is sent goes nowhere. crash: the server is killed with SIGKILL and started again on its
data. stall: SIGSTOP and SIGCONT for the server. blip: every connection is cut at once."""

_QUIET = 1.5
"""Seconds at either end of the run without a new fault."""


class Fault(msgspec.Struct, frozen=True):
    """One fault; `at` is seconds from the start of the run, `seconds` how long it lasts."""

    at: float
    target: str
    kind: Kind
    seconds: float = 0.0


class _Course(msgspec.Struct, frozen=True):
    """What befalls one kind of target: pauses between faults, and each fault's weight and length."""

    pause: tuple[float, float]
    faults: dict[Kind, tuple[int, float, float]]


# A stop or partition of up to twice the lease: some end in time, some wake up as zombies.
_WORKER = _Course(
    (2.0, 9.0),
    {
        "kill": (4, 0, 0.5),
        "stop": (3, 0.3, 2 * LEASE),
        "drain": (2, 0, 0.5),
        "partition": (1, 0.5, 2 * LEASE),
    },
)
_SUBMITTER = _Course((8.0, 20.0), {"kill": (3, 0, 0.5), "stop": (1, 0.3, 4.0)})
_SERVER = _Course((9.0, 18.0), {"crash": (3, 0.1, 3.0), "stall": (1, 0.5, 3.0)})
_NETWORK = _Course((10.0, 20.0), {"blip": (1, 0, 0)})
_COURSES = (
    dict.fromkeys(WORKERS, _WORKER)
    | dict.fromkeys(SUBMITTERS, _SUBMITTER)
    | {"server": _SERVER, "network": _NETWORK}
)


def plan(seed: int, seconds: float) -> list[Fault]:
    """Every fault of a run of so many seconds, sorted by time; one target has one at a time."""
    faults = [fault for target in _COURSES for fault in _course(seed, target, seconds)]
    return sorted(faults, key=lambda fault: (fault.at, fault.target))


def _course(seed: int, target: str, seconds: float) -> Iterator[Fault]:
    course, rng = _COURSES[target], random.Random(f"{seed} {target}")
    kinds, weights = list(course.faults), [weight for weight, _, _ in course.faults.values()]
    at = _QUIET + rng.uniform(0, course.pause[1])
    while at < seconds - _QUIET:
        [kind] = rng.choices(kinds, weights)
        _, least, most = course.faults[kind]
        lasts = min(rng.uniform(least, most), seconds - at)
        yield Fault(round(at, 3), target, kind, round(lasts, 3))
        at += lasts + rng.uniform(*course.pause)
