"""What a store keeps of schedules: where each stands. Every rule of `penstock.engine.store` holds here, too.

**A schedule only goes forward**: firing moves it on to a moment and stores that moment's job in one step, on
the store's clock, and only from an earlier moment. So any number of workers may fire at once.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Literal, Protocol

import msgspec

if TYPE_CHECKING:
    from penstock.engine.store import NewJob, Terms

SEEN_AGAIN = 600_000
"""Milliseconds between two notes that a schedule is attended to: looking alone writes nothing."""
FORGOTTEN_AFTER = 30 * 24 * 3600 * 1000
"""Milliseconds that a schedule is kept which no worker declares any more."""
ORPHANED_AFTER = 3600 * 1000
"""Milliseconds after which it is shown as such."""


class Declared(msgspec.Struct, frozen=True, kw_only=True):
    """A schedule as a worker has it in its code."""

    name: str
    next: int
    """The moment that comes next."""
    text: bytes
    """A `Description` in JSON; the store only compares it."""
    last: int = 0
    """Where it stood when this worker looked last: there a store that lost its data lets it begin; 0: now."""


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """Where one schedule stands; times in milliseconds."""

    last: int
    """The moment up to which everything was fired or passed over; at first, when it was declared."""
    next: int
    """The moment after it, by the code that fired last."""
    seen: int
    """When a worker said last that it attends to it."""
    paused: bool = False
    job: str = ""
    """The suffix of the last job it fired."""
    by: str = ""
    """The worker that fired last."""
    text: bytes = b""


class Attendance(msgspec.Struct, frozen=True):
    """All schedules of a queue at one moment."""

    now: int
    standings: dict[str, Standing]


class Firing(msgspec.Struct, frozen=True, kw_only=True):
    """One step of a schedule."""

    name: str
    moment: int
    next: int
    worker: str


FiringWord = Literal["fired", "early", "past", "paused", "unknown"]
"""`fired`: the moment has its job, or was passed over, by this worker. `early`: by the store's clock it has
not come. `past`: somebody was there before. `unknown`: nobody has declared such a schedule."""


class Fired(msgspec.Struct, frozen=True):
    """What came of it; unless it is `fired`, nothing changed."""

    word: FiringWord
    now: int
    suffix: str = ""
    """Of the job that stands for the moment: its own, or the one whose unique key it would have."""
    created: bool = False
    """Whether it is its own."""


Steering = Literal["pause", "resume", "forget"]


class Schedules(Protocol):
    """The part of a store that keeps schedules, by queue and name."""

    async def attend(self, queue: str, declared: Sequence[Declared] = (), *, new: bool = False) -> Attendance:
        """Say that `declared` are attended to, and hear where all schedules of the queue stand.

        What is declared and not known begins now, or where its `last` says. With `new`, as a worker begins,
        what is declared differently from what is stored begins anew: its moments count from now on; and what
        nobody has attended to for `FORGOTTEN_AFTER` is dropped.
        """
        ...

    async def fire(
        self, queue: str, firing: Firing, job: "NewJob | None" = None, terms: "Terms | None" = None
    ) -> Fired:
        """Move a schedule on to a moment and store its job, or without one pass it over.

        Sent again by the same worker it answers as the first time. Raises as `Store.submit` does; then
        nothing changed, but for `NotDurable`.
        """
        ...

    async def steer(self, queue: str, name: str, what: Steering) -> bool | None:
        """Hold a schedule, let it go on from now, or drop what is known of it.

        Whether that changed something; None where there is no such schedule. What it missed while it was
        paused is not caught up with.
        """
        ...


def read_standing(value: bytes) -> Standing:
    """Read what the scripts write: six words, a line feed, the declaration."""
    line, _, text = value.partition(b"\n")
    last, following, seen, state, job, by = line.decode().split(" ")
    return Standing(
        last=int(last),
        next=int(following),
        seen=int(seen),
        paused=state == "paused",
        job=job.removeprefix("-"),
        by=by.removeprefix("-"),
        text=text,
    )


def flat(declared: Sequence[Declared]) -> list[str | int | bytes]:
    """As the script takes them."""
    return [word for each in declared for word in (each.name, each.next, each.text, each.last)]


def standings(fields: Mapping[str, bytes]) -> dict[str, Standing]:
    """Read all of a queue's."""
    return {name: read_standing(value) for name, value in sorted(fields.items())}
