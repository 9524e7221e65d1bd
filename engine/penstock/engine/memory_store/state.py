"""One queue: the places where its facts live, and the few moves that all decisions are made of."""

from collections.abc import Iterator

import msgspec

from penstock.engine.failure_counts import FailureCount
from penstock.engine.job import JobState
from penstock.engine.memory_store.jobs import Jobs
from penstock.engine.memory_store.lines import ReadyLines
from penstock.engine.memory_store.mail import Mail
from penstock.engine.memory_store.outbox_state import OutboxState
from penstock.engine.memory_store.timetable import Timetable
from penstock.engine.periodic_store import Standing
from penstock.engine.store import Ended, Wake


class Hold(msgspec.Struct, frozen=True):
    """How a running job is held."""

    worker: str
    token: int
    number: int  # of the claim
    since: int


class QueueState:
    """Everything that is known of one queue.

    A job that has not ended stands in exactly one of `ready`, `scheduled` and `running`. A running
    job's header keeps `ready`: claiming rewrites nothing.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.jobs = Jobs()
        self.ready = ReadyLines()
        self.scheduled = Timetable()
        self.running: dict[str, Hold] = {}  # in the order of their tokens
        self.cancels: set[str] = set()  # running jobs that somebody asked to cancel
        self.leases: dict[str, int] = {}  # worker → when it expires
        self.revoked: dict[str, int] = {}  # worker → when; those whose jobs are still in `running`
        self.numbers: dict[str, int] = {}  # worker → the last claim number it used
        self.slots: dict[str, int] = {}  # worker → jobs it can run at once, where it said so
        self.idle: dict[str, bool] = {}  # worker that waits to be woken → takes a job with it; longest first
        self.reporter: dict[str, int] = {}  # who tells about the queue → until when; one at most
        self.failures: dict[str, FailureCount] = {}  # by fingerprint
        self.schedules: dict[str, Standing] = {}
        self.mail = Mail()
        self.outbox = OutboxState()
        self.reaped = 0  # when somebody reaped last
        self.patient_until = 0
        self.patient_since = 0
        self._last_token = 0

    # --- who holds what -----------------------------------------------------------------

    def is_live(self, worker: str, now: int) -> bool:
        """Whether the lease stands; one that has expired is as good as gone, reaped or not."""
        return self.leases.get(worker, 0) > now

    def held_by(self, worker: str) -> Iterator[tuple[str, Hold]]:
        """What the worker holds, oldest first; one that was revoked holds nothing."""
        if worker not in self.revoked:
            yield from ((suffix, hold) for suffix, hold in self.running.items() if hold.worker == worker)

    def holds(self, worker: str, suffix: str, token: int) -> bool:
        """Whether the fence opens: this worker, this job, this token."""
        hold = self.running.get(suffix)
        if hold is None or worker in self.revoked:
            return False
        return (hold.worker, hold.token) == (worker, token)

    def new_token(self) -> int:
        """A fencing token never given before in this queue."""
        self._last_token += 1
        return self._last_token

    # --- moves --------------------------------------------------------------------------

    def make_ready(self, suffix: str, *, first: bool = False) -> None:
        """Put a job whose header says `ready` into its line."""
        self.ready.put(suffix, self.jobs[suffix].header, first=first)

    def put_back(self, suffixes: list[str]) -> None:
        """Running jobs, given oldest first, return to the head of their lines, in their old order."""
        for suffix in reversed(suffixes):
            del self.running[suffix]
            self.make_ready(suffix, first=True)

    def end(self, suffix: str, state: JobState, now: int, keep: int) -> None:
        """A job that is in no line any more reaches a final state."""
        self.jobs.rewrite(suffix, state=state, ended=now)
        self.jobs.retire(suffix, now + keep)
        self.cancels.discard(suffix)
        self.mail.publish(Ended(suffix, state))
        self.hand_on(suffix, now)

    def hand_on(self, suffix: str, now: int) -> None:
        """An attempt, or the job, has ended: keep it for the relays, as the record is now."""
        if self.outbox.sinks:
            self.outbox.add(suffix, now, self.jobs[suffix].encode())

    def wake_one(self) -> None:
        """Wake the worker that has been idle longest; those that listen no more are struck off."""
        while self.idle:
            worker = next(iter(self.idle))
            del self.idle[worker]
            if self.mail.tell(worker, Wake(self.name)):
                return

    def pass_word_on(self) -> None:
        """Wake somebody if there is work, or will be sooner than others may know."""
        if len(self.ready) > 0 or len(self.scheduled) > 0:
            self.wake_one()

    def forget(self, worker: str) -> None:
        """A worker's lease ends."""
        self.leases.pop(worker, None)
        self.numbers.pop(worker, None)
        self.slots.pop(worker, None)
        self.idle.pop(worker, None)
