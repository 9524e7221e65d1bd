"""A history sorted by job: who submitted it, under which tokens it was held, how each hold was given up."""

from collections import defaultdict
from collections.abc import Iterator

import msgspec

from benchmarks.history.records import ClaimedEntry, Final, NewEntry, Record, SettleEntry

NEVER = 1 << 62
"""Later than any time in a history."""


class Violation(msgspec.Struct, frozen=True):
    """One rule broken by one job (or by a queue, where `id` has no suffix), and the records that show it."""

    rule: str
    id: str
    says: str
    evidence: list[Record] = []

    def __str__(self) -> str:
        return f"{self.rule}: {self.id}: {self.says}"


class Call(msgspec.Struct, eq=False):
    """A call and, once it has one, its answer."""

    request: Record
    answer: Record | None = None

    @property
    def sent(self) -> int:
        """It cannot have taken effect before."""
        return self.request.at

    @property
    def answered(self) -> int:
        """It has taken effect by then, if ever; `NEVER` where nobody knows."""
        return NEVER if self.answer is None else self.answer.at

    def records(self) -> list[Record]:
        """What is known of it."""
        return [self.request] if self.answer is None else [self.request, self.answer]


class Submission(msgspec.Struct):
    """One sending of one job; `created` once it is acknowledged."""

    call: Call
    entry: NewEntry
    place: int
    """Among the jobs of the call."""
    created: bool | None = None


class Try(msgspec.Struct):
    """A step tried on a hold or a job; `done` is None where nobody heard the answer."""

    call: Call
    done: bool | None = None


class Settling(msgspec.Struct):
    """One sending of an ending; `done` as above."""

    call: Call
    entry: SettleEntry
    done: bool | None = None


class Run(msgspec.Struct):
    """A handler's run."""

    started: Record
    attempt: int
    most: int
    ended: int = NEVER


class Hold(msgspec.Struct, eq=False):
    """A job in the hands of one worker, under one token."""

    entry: ClaimedEntry
    queue: str
    worker: str
    number: int
    claimed: Record
    sent: int
    settlings: list[Settling] = []
    returns: list[Try] = []
    runs: list[Run] = []

    @property
    def token(self) -> int:
        return self.entry.token

    @property
    def answered(self) -> int:
        return self.claimed.at

    def settled(self, *, final: bool) -> Iterator[Settling]:
        """Endings that were accepted, or may have been."""
        for settling in self.settlings:
            if settling.done is not False and settling.entry.state.final is final:
                yield settling


class JobStory(msgspec.Struct):
    """Everything that concerns one job."""

    queue: str
    suffix: str
    submissions: list[Submission] = []
    holds: dict[int, Hold] = {}
    latest: dict[str, Hold] = {}
    """The last hold of each worker so far."""
    strays: list[Settling] = []
    """Settlements under tokens that this worker never got for this job."""
    unclaimed_runs: list[Run] = []
    returns: list[tuple[str, Call]] = []
    """By the end of a lease or of a claim: the worker, the call."""
    cancels: list[Try] = []
    buried: list[Call] = []
    final: Final | None = None

    @property
    def id(self) -> str:
        return f"{self.queue}.{self.suffix}"

    def wrong(self, rule: str, says: str, *evidence: Record) -> Violation:
        """It broke a rule."""
        return Violation(rule, self.id, says, list(evidence))

    def in_order(self) -> list[Hold]:
        """Its holds by token."""
        return [self.holds[token] for token in sorted(self.holds)]


class WorkerStory(msgspec.Struct):
    """What became of one worker id in one queue."""

    revoked: Record | None = None
    """The first answer that tells of it."""
    joined: int = 0
    """When the store last said that a lease was begun."""
    revoked_after: int = NEVER
    """It did not happen before."""
    vague: list[Call] = []
    """Calls that may have given back anything it held."""


class QueueStory(msgspec.Struct):
    """Everything that concerns one queue."""

    name: str
    jobs: dict[str, JobStory] = msgspec.field(default_factory=dict[str, JobStory])
    workers: dict[str, WorkerStory] = msgspec.field(
        default_factory=lambda: defaultdict[str, WorkerStory](WorkerStory)
    )
    holds: dict[int, Hold] = {}
    """Every hold by its token."""
    clashes: list[Hold] = []
    """Holds whose token had been given to another."""
    max_crashes: int = 0
    """As the reapers say; 0 while none has."""
    vague_reaps: list[Call] = []
    """Reaps without an answer: they may have revoked anybody and moved anything."""

    def job(self, suffix: str) -> JobStory:
        """The story of one job, begun where there is none."""
        if suffix not in self.jobs:
            self.jobs[suffix] = JobStory(self.name, suffix)
        return self.jobs[suffix]

    def add(self, hold: Hold) -> None:
        """A claim was answered; the same answer may come again."""
        first = self.holds.setdefault(hold.token, hold)
        if (first.entry.suffix, first.worker, first.number) != (hold.entry.suffix, hold.worker, hold.number):
            self.clashes.append(hold)
        job = self.job(hold.entry.suffix)
        job.latest[hold.worker] = job.holds.setdefault(hold.token, hold)

    def revoke(self, worker: str, told: Record, not_before: int) -> None:
        """A record tells that a lease had been revoked."""
        story = self.workers[worker]
        if story.revoked is None or told.at < story.revoked.at:
            story.revoked = told
        story.revoked_after = min(story.revoked_after, not_before)

    def may_be_revoked(self, worker: str, by: int) -> bool:
        """Whether the lease of `worker` may have been revoked at that time."""
        story = self.workers[worker]
        return story.revoked_after <= by or any(reap.sent <= by for reap in self.vague_reaps)
