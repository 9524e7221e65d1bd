"""What a store of jobs can do: the one door to Redis, and to its stand-in in memory.

Every method is one atomic step on the store's own clock, and **every method is safe to send twice**:
repeating it after a lost reply changes nothing more and answers as the first time (those that list what
they did, like `release`, list nothing the second time). Times are milliseconds. All methods raise
`StoreUnavailable` when the store cannot be reached; cancelling a call leaves the step either done or not
done, and calling again finds out.

A worker is known by an id it makes itself and never uses again; it holds one lease per queue. A claimed
job is held under a fencing **token**, unique in its queue; whoever does not hold the token any more
changes nothing.
"""

from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Literal, Protocol

import msgspec

from penstock.engine.failure_counts import Failure, FailureCount
from penstock.engine.job import Job, JobState
from penstock.engine.periodic_store import Schedules
from penstock.engine.record import Record

SLICE = 500
"""Jobs in one step at most, so that others are served in between: so many submissions take 6 to 8 ms."""


class NewJob(msgspec.Struct, frozen=True, gc=False):
    """One job to be stored; `suffix` is the part of its id behind the queue's name."""

    suffix: str
    body: bytes
    priority: int = 0
    tenant: str = "-"  # as `quote_tenant` writes it
    due: int | None = None
    """Absolute time; None or the past means now."""
    delay: int = 0
    """Relative to the store's clock; used where `due` is None."""
    unique: str | None = None
    """While a job of this tenant and queue with the same key has not ended, this one is a duplicate of it."""


class Submitted(msgspec.Struct, frozen=True, gc=False):
    """What became of one `NewJob`."""

    suffix: str
    """Of the job that now stands for it: its own, or the one it duplicates."""
    created: bool
    """Also True when the very same job (same id, same body) had been stored before."""
    state: JobState
    """`scheduled` or `ready` for a new one, the header's state of the older one otherwise."""


class Terms(msgspec.Struct, frozen=True, gc=False):
    """On what terms jobs are taken in, beside being stored."""

    most: int = 0
    """How many ready and how many scheduled jobs the queue may hold with these; 0 for no limit."""
    disk: bool = False
    """Acknowledge only what has reached the server's disk."""
    replicas: int = 0
    """Acknowledge only what has reached so many replicas."""


PLAIN = Terms()


class Claimed(msgspec.Struct, frozen=True, gc=False):
    """One job handed to a worker."""

    suffix: str
    token: int
    raw: bytes
    """The stored record, undecoded: `penstock.engine.record.parse_record`."""


class Claim(msgspec.Struct, frozen=True):
    """The answer to one claim."""

    jobs: list[Claimed]
    now: int
    """The store's clock at the claim."""
    next_due: int | None
    """When the next scheduled job becomes due."""
    more: bool
    """Whether ready jobs were left behind."""


class Settlement(msgspec.Struct, frozen=True, gc=False):
    """How one attempt ended. `state` is one of
    succeeded, dead, cancelled, expired (final), scheduled (retry after `delay`), ready (retry now),
    parked (offered again after `delay`; no attempt consumed)."""

    suffix: str
    token: int
    state: JobState
    attempt: int
    """Attempts that have ended, this one included if it counts."""
    delay: int
    """Scheduled and parked: until it is due. Final states: how long the record is kept."""
    ending: bytes
    failure: Failure | None = None
    """To be counted, once, if the settlement stands."""


Verdict = Literal["settled", "refused"]
"""`settled`: it stands (now, or by an earlier sending). `refused`: the token is somebody else's."""


class Heartbeat(msgspec.Struct, frozen=True):
    """What the server holds against a worker's name in one queue."""

    now: int
    held: dict[int, tuple[str, int]]
    """token → (suffix, number of the claim it was taken under)."""
    cancels: list[str]
    """Held jobs that somebody asked to cancel."""


class Promotion(msgspec.Struct, frozen=True):
    """Scheduled jobs made ready."""

    moved: int
    next_due: int | None
    now: int


class Reaping(msgspec.Struct, frozen=True):
    """What one slice of reaping did."""

    revoked: list[str]
    """Workers whose lease was found expired and ended by this call."""
    returned: list[str]
    """Suffixes of jobs made ready again."""
    dead: list[str]
    """Suffixes of jobs that crashed too many workers."""
    remaining: bool
    """Whether another slice is waiting."""


class Released(msgspec.Struct, frozen=True):
    """Suffixes given back, no attempt consumed."""

    suffixes: list[str]


class Cancellation(msgspec.Struct, frozen=True):
    """What a request to cancel did: the state after it; `running` means the worker has been told."""

    state: JobState
    changed: bool


class QueueFacts(msgspec.Struct, frozen=True):
    """One queue at one moment, in one atomic look."""

    queue: str
    now: int
    ready: int
    scheduled: int  # parked ones included
    running: int
    dead: int
    workers: int
    oldest_ready: int | None
    """`due` of the job that has waited longest (exact up to 256 tenants × priorities)."""
    oldest_running: int | None
    """When the longest-running one was claimed."""
    next_due: int | None
    slots: int = 0
    """Jobs that its workers can run at once, as they said when they joined; what serves several queues
    counts in each."""


class Handed(msgspec.Struct, frozen=True):
    """A job that was claimed for a worker as it came."""

    job: Claimed
    number: int
    """Of the claim: the one behind the worker's last; sent by the worker itself, it brings the job again."""
    now: int
    """The store's clock at the claim."""


class Wake(msgspec.Struct, frozen=True):
    """Word for a worker: `cancel` names a job it runs, `handed` is one to run; else: look for work."""

    queue: str
    cancel: str | None = None
    handed: Handed | None = None


class Ended(msgspec.Struct, frozen=True):
    """One final state, as published with the change."""

    suffix: str
    state: JobState


class Store(Protocol):
    """The broker's semantics. `penstock.engine.redis_store` and `memory_store` pass one suite."""

    @property
    def schedules(self) -> Schedules:
        """Where jobs that come by themselves stand."""
        ...

    # --- for submitters -----------------------------------------------------------------

    async def submit(self, queue: str, jobs: Sequence[NewJob], terms: Terms = PLAIN) -> list[Submitted]:
        """Store jobs and wake an idle worker; one answer per job, in order.

        An id that exists is left alone: with the same body it counts as created, else as a duplicate.
        Large sequences are sent in slices of at most `SLICE`; each slice is atomic.

        Raises:
            QueueFull: the queue would hold more than `terms.most`; of this slice nothing was stored.
            StoreFull: the store has no memory left; of this slice nothing was stored.
            NotDurable: stored, but not known to be as safe as `terms` ask; sending again finds out.
        """
        ...

    async def look(self, queue: str, suffix: str) -> Job | None:
        """What is known about one job now."""
        ...

    async def read(self, queue: str, suffix: str) -> Record | None:
        """The record itself, as stored."""
        ...

    async def cancel(self, queue: str, suffix: str) -> Cancellation | None:
        """End a waiting job, or tell the worker that runs it; None where there is no such job."""
        ...

    def endings(self, queue: str) -> AbstractAsyncContextManager[AsyncIterator[Ended]]:
        """Every final state from now on; 'now' is when the context is entered.

        Ends with `StoreUnavailable` when the connection is lost; enter again and look at the jobs.
        """
        ...

    # --- for workers --------------------------------------------------------------------

    async def join(self, queue: str, worker: str, lease: int, slots: int = 0) -> None:
        """Begin a lease of `lease` milliseconds.

        `slots` is how many jobs the worker can run at once, for the facts; 0 leaves what it said before.
        """
        ...

    async def heartbeat(self, queue: str, worker: str, lease: int) -> Heartbeat | None:
        """Prolong the lease; None where it was revoked: the worker has lost everything it held.

        A lease that ran out is prolonged as long as nobody has revoked it. What is held is read right
        after; what changes in between is judged by the next beat.
        """
        ...

    async def leave(self, queue: str, worker: str) -> Released:
        """End the lease and give back all that is held; a wake-up left unread goes to another worker."""
        ...

    async def claim(
        self,
        queue: str,
        worker: str,
        number: int,
        count: int,
        *,
        suspect: bool,
        idle: bool,
        handed: bool = False,
    ) -> Claim | None:
        """Take up to `count` ready jobs: by priority, tenants in turn, first in first out.

        `number` grows with each new claim of this worker. The same number again gives what is still held
        under it; a number that was returned gives nothing. With `suspect`, at most one of them may be
        a job that was held by a worker that died. With `idle`, an empty answer registers the worker
        to be woken (`listen`); with `handed` too, to be woken with a job in hand: one that comes while no
        other is ready is claimed for it, under the next number. None where the worker has no live lease.
        """
        ...

    async def return_claim(self, queue: str, worker: str, number: int) -> Released:
        """Give back everything held under a claim whose answer was lost; the number is used up."""
        ...

    async def release(self, queue: str, worker: str, held: Sequence[tuple[str, int]]) -> Released:
        """Give back (suffix, token) pairs to the head of their line in the order of their claims.

        No attempt is consumed.
        """
        ...

    async def settle(self, queue: str, worker: str, settlements: Sequence[Settlement]) -> list[Verdict]:
        """End attempts; one verdict each, in order."""
        ...

    async def promote(self, queue: str, limit: int = 500) -> Promotion:
        """Make scheduled and parked jobs ready that are due, oldest first, and wake idle workers."""
        ...

    async def reap(
        self,
        queue: str,
        *,
        max_crashes: int,
        ending: bytes,
        keep: int,
        failure: Failure | None = None,
        limit: int = 500,
        patience: int = 0,
    ) -> Reaping:
        """Revoke expired leases, then move at most `limit` of their jobs.

        With `patience`, a lease's milliseconds: where nobody has reaped this queue for half of it, nobody is
        revoked until it has passed once more. The store or everybody stood still, so leases ran out that
        nobody could prolong.
        A job that was held counts one crash more and becomes a suspect, claimed one at a time; at
        `max_crashes` it is dead with `ending`, kept `keep` milliseconds, and `failure` is counted for it.
        """
        ...

    def listen(self, worker: str, queues: Sequence[str]) -> AbstractAsyncContextManager[AsyncIterator[Wake]]:
        """Wake-ups for `worker`; heard from the moment the context is entered.

        Raises `StoreUnavailable` when the connection is lost; listen again and claim once.
        """
        ...

    async def nudge(self, queue: str) -> None:
        """Pass word of work, now or later, on to an idle worker: for one that was woken and has no room."""
        ...

    # --- for operators ------------------------------------------------------------------

    async def facts(self, queue: str) -> QueueFacts:
        """Depths and ages of one queue."""
        ...

    async def report(self, queue: str, reporter: str, lease: int) -> QueueFacts | None:
        """The facts for the one `reporter` of this queue; None while another has the role.

        Whoever asks while nobody has it, or its holder's time has passed, takes it; the holder keeps it.
        Either way it is the reporter's for `lease` milliseconds from now. So figures that everybody could
        read are told by one process at a time, and may be added up.
        """
        ...

    async def resign(self, queue: str, reporter: str) -> None:
        """Give that role up where `reporter` has it: the next who asks takes it."""
        ...

    async def memory(self, queue: str) -> float:
        """The part of its memory's bound that the queue's server uses; 0.0 where it has none or hides it."""
        ...

    async def failures(self, queue: str) -> list[FailureCount]:
        """How often each failure came, the one seen last first.

        Of more than `MAX_FAILURES` fingerprints those seen longest ago are forgotten, a tenth at once.
        """
        ...

    async def queues(self) -> list[str]:
        """Every queue that was ever submitted to or joined, sorted."""
        ...

    async def ping(self) -> None:
        """Return when the store answers."""
        ...
