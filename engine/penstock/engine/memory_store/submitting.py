"""What submitters ask for: storing jobs, looking at them, cancelling them."""

from collections.abc import Sequence

from penstock.engine.errors import ENDINGS, QueueFull
from penstock.engine.job import Job, JobState
from penstock.engine.limits import RESULT_TTL
from penstock.engine.memory_store.claiming import hand_over
from penstock.engine.memory_store.state import QueueState
from penstock.engine.record import VERSION, Header, Record, describe
from penstock.engine.store import Cancellation, NewJob, Submitted, Terms, Wake

KEEP_CANCELLED = int(RESULT_TTL * 1000)


class _Drafts:
    """What a submission would store, before any of it is stored."""

    def __init__(self, queue: QueueState, now: int) -> None:
        self._queue = queue
        self._now = now
        self._new: dict[str, tuple[NewJob, Header]] = {}
        self._holders: dict[tuple[str, str], str] = {}  # unique keys that drafts would take

    def answer(self, job: NewJob) -> Submitted:
        """What stands for `job`: an older one, an earlier one of this submission, or its own draft."""
        older = self._queue.jobs.get(job.suffix)
        if older is not None:
            return Submitted(job.suffix, older.body == job.body, older.header.state)
        if job.suffix in self._new:
            earlier, header = self._new[job.suffix]
            return Submitted(job.suffix, earlier.body == job.body, header.state)
        holder = self._holder_of_key(job)
        if holder is not None:
            return Submitted(holder, False, self._state_of(holder))
        header = _new_header(job, self._now)
        self._new[job.suffix] = job, header
        return Submitted(job.suffix, True, header.state)

    def _holder_of_key(self, job: NewJob) -> str | None:
        """Who else holds the unique key of `job`; where nobody does, its draft takes it."""
        if job.unique is None:
            return None
        holder = self._queue.jobs.holder_of_key(job)
        if holder is None:
            holder = self._holders.setdefault((job.tenant, job.unique), job.suffix)
        return None if holder == job.suffix else holder

    def _state_of(self, suffix: str) -> JobState:
        older = self._queue.jobs.get(suffix)
        return older.header.state if older is not None else self._new[suffix][1].state

    def check_room(self, most: int) -> None:
        """Raise `QueueFull` where more than `most` would be ready, or scheduled; 0 for no limit.

        So do new jobs while the relays are as far behind as they may be.
        """
        outbox = self._queue.outbox
        if self._new and outbox.full:
            raise QueueFull(self._queue.name, len(outbox.entries), outbox.most, of=ENDINGS)
        ready = sum(header.state is JobState.READY for _, header in self._new.values())
        for new, waiting in ((ready, self._queue.ready), (len(self._new) - ready, self._queue.scheduled)):
            if most and new and len(waiting) + new > most:
                raise QueueFull(self._queue.name, len(waiting), most)

    def store(self) -> None:
        """Store them, and line them up or, if it is one that nothing waits before, hand it over."""
        alone = len(self._new) == 1 and not len(self._queue.ready)
        for suffix, (job, header) in self._new.items():
            self._queue.jobs.add(job, header)
            if header.state is JobState.READY:
                if not (alone and hand_over(self._queue, self._now, suffix)):
                    self._queue.make_ready(suffix)
            else:
                self._queue.scheduled.put(suffix, header.due)


def submit(queue: QueueState, now: int, jobs: Sequence[NewJob], terms: Terms) -> list[Submitted]:
    """Store what is new; wake one worker if there is work, or will be earlier than it thinks."""
    drafts = _Drafts(queue, now)
    answers = [drafts.answer(job) for job in jobs]
    drafts.check_room(terms.most)
    earliest, depth = queue.scheduled.next_due(), len(queue.ready)
    drafts.store()
    if len(queue.ready) > depth or queue.scheduled.next_due() != earliest:
        queue.wake_one()
    return answers


def _new_header(job: NewJob, now: int) -> Header:
    due = max(now, now + job.delay if job.due is None else job.due)
    return Header(
        version=VERSION,
        state=JobState.SCHEDULED if due > now else JobState.READY,
        attempt=0,
        crashes=0,
        priority=job.priority,
        token=0,
        submitted=now,
        due=due,
        ended=0,
        size=len(job.body),
        flags="-" if job.unique is None else "u",
        tenant=job.tenant,
    )


def look(queue: QueueState, now: int, suffix: str) -> Job | None:
    """The record, and from the running table who runs it since when."""
    record, hold = queue.jobs.get(suffix), queue.running.get(suffix)
    if record is None:
        return None
    worker, since = (hold.worker, hold.since) if hold else (None, None)
    return describe(queue.name, suffix, record, worker=worker, started=since)


def read(queue: QueueState, now: int, suffix: str) -> Record | None:
    """The record as it is stored."""
    return queue.jobs.get(suffix)


def cancel(queue: QueueState, now: int, suffix: str) -> Cancellation | None:
    """A waiting job ends where it stands; a running one is its worker's to end."""
    record = queue.jobs.get(suffix)
    if record is None:
        return None
    if suffix in queue.running:
        return _ask_worker_to_cancel(queue, suffix)
    state = record.header.state
    if state.final:
        return Cancellation(state, changed=False)
    queue.ready.discard(suffix)
    queue.scheduled.discard(suffix)
    queue.end(suffix, JobState.CANCELLED, now, KEEP_CANCELLED)
    return Cancellation(JobState.CANCELLED, changed=True)


def _ask_worker_to_cancel(queue: QueueState, suffix: str) -> Cancellation:
    changed = suffix not in queue.cancels
    queue.cancels.add(suffix)
    # Told again each time: the heartbeat repeats it too, but a second request deserves a second try.
    queue.mail.tell(queue.running[suffix].worker, Wake(queue.name, cancel=suffix))
    return Cancellation(JobState.RUNNING, changed)
