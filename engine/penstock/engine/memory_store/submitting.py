"""What submitters ask for: storing jobs, looking at them, cancelling them."""

from collections.abc import Sequence

from penstock.engine.job import Job, JobState
from penstock.engine.limits import RESULT_TTL
from penstock.engine.memory_store.state import QueueState
from penstock.engine.record import VERSION, Header, Record, describe
from penstock.engine.store import Cancellation, NewJob, Submitted, Wake

KEEP_CANCELLED = int(RESULT_TTL * 1000)


def submit(queue: QueueState, now: int, jobs: Sequence[NewJob]) -> list[Submitted]:
    """Store what is new; wake one worker if there is work, or will be earlier than it thinks."""
    earliest, depth = queue.scheduled.next_due(), len(queue.ready)
    answers = [_submit_one(queue, now, job) for job in jobs]
    if len(queue.ready) > depth or queue.scheduled.next_due() != earliest:
        queue.wake_one()
    return answers


def _submit_one(queue: QueueState, now: int, job: NewJob) -> Submitted:
    older = queue.jobs.get(job.suffix)
    if older is not None:
        return Submitted(job.suffix, older.body == job.body, older.header.state)
    holder = queue.jobs.holder_of_key(job)
    if holder is not None:
        return Submitted(holder, False, queue.jobs[holder].header.state)
    header = _new_header(job, now)
    queue.jobs.add(job, header)
    if header.state is JobState.READY:
        queue.make_ready(job.suffix)
    else:
        queue.scheduled.put(job.suffix, header.due)
    return Submitted(job.suffix, True, header.state)


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
