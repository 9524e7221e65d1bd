"""The facts the engine reports: a public, documented list. Prose, levels and metrics are others' work.

Observers are plain functions called in the task where the fact happened. They may not block or
await. One that raises is dropped, and the others are told (`ObserverFailed`). Every `JobStarted` is
followed by exactly one `JobFinished`, cancellation included. Durations are seconds.
"""

from collections.abc import Callable

import msgspec

from penstock.engine.attempt import Attempt
from penstock.engine.job import JobError


class JobEnqueued(msgspec.Struct, frozen=True, gc=False):
    """A submission was acknowledged by the store."""

    id: str
    job: str
    queue: str
    tenant: str | None
    duplicate: bool
    """True where an older job stands for it and nothing was stored."""


class JobStarted(msgspec.Struct, frozen=True, gc=False):
    """A handler is about to run, in this task."""

    attempt: Attempt


class JobFinished(msgspec.Struct, frozen=True, gc=False):
    """An attempt ended; `attempt.outcome` says how. It is not settled yet."""

    attempt: Attempt
    seconds: float


class AttemptFailed(msgspec.Struct, frozen=True):
    """An attempt failed, told after its `JobFinished`; `final` if the job is dead, else it runs again.

    A retry that the handler asks for is no failure while attempts are left.
    """

    attempt: Attempt
    error: JobError
    """As it is stored, redacted."""
    exception: BaseException
    """As it was raised, with all that its frames hold; not redacted."""
    final: bool


class JobParked(msgspec.Struct, frozen=True, gc=False):
    """This worker does not know a job, or its record is newer; it is offered again, no attempt consumed."""

    id: str
    job: str
    queue: str
    reason: str  # "unknown_job" | "newer_record"


class Settled(msgspec.Struct, frozen=True, gc=False):
    """One flush of settlements was acknowledged."""

    queue: str
    count: int
    refused: int
    seconds: float
    attempts: list[Attempt] = []
    """Those among them that ran a handler, refused ones included."""


class SettlementRefused(msgspec.Struct, frozen=True, gc=False):
    """A late settlement changed nothing: the job belongs to somebody else now."""

    id: str
    queue: str
    worker: str


class LeaseLost(msgspec.Struct, frozen=True, gc=False):
    """This worker's lease ended; `running` handlers are being cancelled."""

    queue: str
    worker: str
    running: int


class JobsReleased(msgspec.Struct, frozen=True, gc=False):
    """Jobs went back to the head of their line, no attempt consumed."""

    queue: str
    count: int
    reason: str  # "drain" | "shutdown" | "waited_too_long" | "no_room" | "lost_reply" | "crash"


class WorkersReaped(msgspec.Struct, frozen=True, gc=False):
    """This worker's reaper revoked others' leases or moved their jobs."""

    queue: str
    revoked: list[str]
    returned: int
    dead: list[str]
    seconds: float = 0.0
    """How long the step took."""


class JobsPromoted(msgspec.Struct, frozen=True, gc=False):
    """Scheduled jobs became ready."""

    queue: str
    count: int
    seconds: float = 0.0
    """How long the step took."""


class ScheduleFired(msgspec.Struct, frozen=True, gc=False):
    """A schedule's moment came and this worker stored its job; told after the job's `JobEnqueued`."""

    schedule: str
    id: str
    job: str
    queue: str
    moment: float
    """Seconds since the epoch, as the schedule says."""
    late: float
    """Seconds that the job was stored after it."""
    missed: bool
    """Whether moments before it went without a job, by what the schedule says of those."""


class ScheduleSkipped(msgspec.Struct, frozen=True, gc=False):
    """A schedule's moment came and has no job of its own; with `full` it is tried again."""

    schedule: str
    job: str
    queue: str
    moment: float
    reason: str  # "missed" | "overlap" | "full"


class WorkerStarted(msgspec.Struct, frozen=True, gc=False):
    """The worker has its leases and takes jobs. After a `LeaseLost` it starts again, under a new id."""

    worker: str
    queues: list[str]
    concurrency: int


class WorkerDraining(msgspec.Struct, frozen=True, gc=False):
    """No further claims; running jobs may finish within `grace` seconds."""

    worker: str
    running: int
    grace: float


class WorkerStopped(msgspec.Struct, frozen=True, gc=False):
    """Whatever could be is settled or given back, and the leases are ended; also after a `LeaseLost`."""

    worker: str


class StoreDown(msgspec.Struct, frozen=True, gc=False):
    """A loop cannot reach the store and goes on trying."""

    loop: str
    error: str


class StoreUp(msgspec.Struct, frozen=True, gc=False):
    """The store answers again."""

    loop: str
    seconds: float
    """How long it was away for this loop."""


class LoopCrashed(msgspec.Struct, frozen=True, gc=False):
    """A defect in one of the worker's own loops; it is started again after `delay` seconds."""

    loop: str
    error: BaseException
    delay: float


class EventSetAside(msgspec.Struct, frozen=True, gc=False):
    """A handler could not take an event of the bus: it was kept aside, and those behind it go on."""

    topic: str
    handler: str
    id: str
    """Of the event."""
    reason: str


class CircuitOpened(msgspec.Struct, frozen=True, gc=False):
    """A host failed so often in a row that the client of outgoing HTTP leaves it alone for a while."""

    host: str
    """`host:port`."""
    failures: int
    seconds: float
    """Until one request may ask it again."""


class CircuitClosed(msgspec.Struct, frozen=True, gc=False):
    """A host that was left alone has answered well: requests go to it again."""

    host: str
    """`host:port`."""
    failures: int
    """In a row, before."""


class ObserverFailed(msgspec.Struct, frozen=True, gc=False):
    """An observer raised and was dropped."""

    observer: str
    error: Exception


Event = (
    JobEnqueued
    | JobStarted
    | JobFinished
    | AttemptFailed
    | JobParked
    | Settled
    | SettlementRefused
    | LeaseLost
    | JobsReleased
    | WorkersReaped
    | JobsPromoted
    | ScheduleFired
    | ScheduleSkipped
    | WorkerStarted
    | WorkerDraining
    | WorkerStopped
    | StoreDown
    | StoreUp
    | LoopCrashed
    | EventSetAside
    | CircuitOpened
    | CircuitClosed
    | ObserverFailed
)
Observer = Callable[[Event], None]
"""Called with each event, or, where it has an attribute `hears` with kinds of events, with each of those."""
FailureHook = Callable[[AttemptFailed], None]
"""Hears of the failures of one module's jobs; under the rules of observers."""


class Observers:
    """The observers of one client or worker."""

    def __init__(self, *observers: Observer, others: "Observers | None" = None) -> None:
        """`others` are told, where they are given, of one that was dropped here."""
        self._listening = _Listening(observers)
        self._others = others

    def add(self, observer: Observer) -> None:
        """Tell `observer` everything from now on."""
        self._listening = _Listening((*self._listening.observers, observer))

    def emit(self, event: Event) -> None:
        """Tell every observer; drop those that raise. Never raises an `Exception`."""
        for observer in self._listening[type(event)]:
            try:
                observer(event)
            except Exception as error:  # a broken observer must not break a job; it is reported
                left = tuple(each for each in self._listening.observers if each is not observer)
                self._listening = _Listening(left)
                (self._others or self).emit(ObserverFailed(_name(observer), error))


class _Listening(dict[type, tuple[Observer, ...]]):
    """Who hears events of a kind, found out once. Another one takes its place where observers come or go."""

    def __init__(self, observers: tuple[Observer, ...]) -> None:
        self.observers = observers

    def __missing__(self, kind: type) -> tuple[Observer, ...]:
        found = self[kind] = tuple(each for each in self.observers if kind in getattr(each, "hears", (kind,)))
        return found


def _name(observer: Observer) -> str:
    return getattr(observer, "__qualname__", None) or type(observer).__qualname__
