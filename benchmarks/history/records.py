"""What is recorded: a line of JSON for each call to the store, each answer, each start and end of a handler.

Time is `time.monotonic_ns()`: on Linux CLOCK_MONOTONIC, one clock for all processes of a machine. A call
takes effect somewhere between its line and its answer's, so one call is certainly before another only where
its answer came before the other was sent; the checker concludes nothing from anything less. A call that
has no answer in the history may or may not have taken effect. Where tokens tell the order, no clock is asked.

An answer is taken at its word. Where the store below the recorder sends a call again by itself, an answer may
be the second one, which lists nothing and refuses what had stood: leave such answers out, as
`benchmarks.chaos.certainty` does, and they accuse nobody.

A line is written at once and whole, by one `write()`: it survives the process, not the machine.
"""

import heapq
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Literal, TypeAlias

import msgspec

from penstock.engine.job import JobState

How: TypeAlias = Literal["release", "return_claim", "leave"]


class Base(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="what"):
    """`by` is who recorded it: one process, or one life of a worker. `call` joins a call and its answer."""

    by: str
    at: int
    """Nanoseconds; of a call when it was sent, of an answer when it had come."""


class NewEntry(msgspec.Struct, frozen=True, array_like=True):
    """One job in a submission."""

    suffix: str
    priority: int
    tenant: str
    later: bool
    """Whether it was to wait for a time; then the order of first claims is not the order of submission."""


class Submit(Base, frozen=True, tag="submit"):
    """Jobs were sent."""

    call: int
    queue: str
    jobs: list[NewEntry]


class Submitted(Base, frozen=True, tag="submitted"):
    """The submission was acknowledged: per job, which id stands for it and whether it was created."""

    call: int
    answers: list[tuple[str, bool]]


class ClaimedEntry(msgspec.Struct, frozen=True, array_like=True):
    """One job in a claim, with two words of its header."""

    suffix: str
    token: int
    attempt: int
    crashes: int


class Claimed(Base, frozen=True, tag="claimed"):
    """A claim was answered with jobs; `sent` is when this number was sent first."""

    sent: int
    queue: str
    worker: str
    number: int
    jobs: list[ClaimedEntry]


class SettleEntry(msgspec.Struct, frozen=True, array_like=True):
    """One ending in a settlement."""

    suffix: str
    token: int
    state: JobState
    attempt: int


class Settle(Base, frozen=True, tag="settle"):
    """Endings were sent."""

    call: int
    queue: str
    worker: str
    endings: list[SettleEntry]


class Settled(Base, frozen=True, tag="settled"):
    """The endings were answered; per ending, whether it stands."""

    call: int
    accepted: list[bool]


class GiveBack(Base, frozen=True, tag="give_back"):
    """Jobs were given back: those of `pairs` (suffix and token), those of one claim, or all that was held."""

    call: int
    queue: str
    worker: str
    how: How
    pairs: list[tuple[str, int]] = []


class GivenBack(Base, frozen=True, tag="given_back"):
    """Which jobs went back."""

    call: int
    suffixes: list[str]


class Cancel(Base, frozen=True, tag="cancel"):
    """Somebody asked to cancel a job."""

    call: int
    queue: str
    suffix: str


class Cancelled(Base, frozen=True, tag="cancelled"):
    """What became of the request; `ended` where this request ended the job."""

    call: int
    ended: bool


class Reap(Base, frozen=True, tag="reap"):
    """A reaper looked."""

    call: int
    queue: str
    max_crashes: int


class Reaped(Base, frozen=True, tag="reaped"):
    """Whose leases it revoked, which jobs went back into a line, which are dead."""

    call: int
    revoked: list[str]
    returned: list[str]
    dead: list[str]


class LeaseLost(Base, frozen=True, tag="lease_lost"):
    """A worker heard that its lease had been revoked."""

    queue: str
    worker: str


class Joined(Base, frozen=True, tag="joined"):
    """A worker's lease was begun, or prolonged."""

    queue: str
    worker: str


class Started(Base, frozen=True, tag="started"):
    """A handler is about to run; `most` is the number of attempts its policy allows."""

    queue: str
    suffix: str
    worker: str
    attempt: int
    most: int


class Finished(Base, frozen=True, tag="finished"):
    """The handler has ended."""

    queue: str
    suffix: str
    worker: str


class Crashed(Base, frozen=True, tag="crashed"):
    """The harness killed `victim`, the `by` of its records."""

    victim: str


class Final(Base, frozen=True, tag="final"):
    """What the store says of a job when all is over; without a `state` it has no such job."""

    queue: str
    suffix: str
    state: JobState | None
    attempt: int = 0
    crashes: int = 0
    token: int = 0


Record: TypeAlias = (
    Submit
    | Submitted
    | Claimed
    | Settle
    | Settled
    | GiveBack
    | GivenBack
    | Cancel
    | Cancelled
    | Reap
    | Reaped
    | LeaseLost
    | Joined
    | Started
    | Finished
    | Crashed
    | Final
)

encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder[Record](Record).decode


def read(paths: Iterable[Path]) -> Iterator[Record]:
    """The records of several files in the order of time; a last line that was cut short is passed over."""
    return heapq.merge(*map(_read_one, paths), key=lambda record: record.at)


def _read_one(path: Path) -> Iterator[Record]:
    with path.open("rb") as lines:
        for line in lines:
            if line.endswith(b"\n"):
                yield _decode(line)
