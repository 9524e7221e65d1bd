"""A day in the life of a queue, step by step: everything that a history can tell of, in one run.

It is played on a store by hand, without a worker's loops, so that each step meets the state it is made for.
A fault that is planted in the store changes what happens; the day goes on and ends in bounded time.
"""

from collections.abc import Sequence

import pytest

from benchmarks.history import Record, Recorder, RecordingStore
from penstock.engine.errors import StoreUnavailable
from penstock.engine.job import JobState
from penstock.engine.record import parse_record
from penstock.engine.store import Claimed, NewJob, Settlement
from support.lossy import Lossy
from support.stores import BURIAL, LEASE, Hand, QueueUnderTest, StoreHarness, ending, new_job

ROUNDS = 30
"""Of the evening: enough for everything that is left, few enough for a queue that never empties."""
FOREVER = 10**8  # milliseconds: no record goes before it was looked at
UNCOUNTED = {JobState.PARKED, JobState.EXPIRED}


class Day:
    """One queue, its history, and how people there speak."""

    def __init__(self, harness: StoreHarness) -> None:
        self.history: list[Record] = []
        self.recorder = Recorder("day", self.history.append)
        self.plain = harness.store
        self.lossy = Lossy(harness.store)
        harness.store = RecordingStore(self.lossy, self.recorder)
        self.queue = QueueUnderTest(harness)
        self.submitted: list[str] = []

    async def submit(self, *suffixes: str, delay: int = 0, tenant: str = "-") -> None:
        """Store jobs in one call."""
        await self._send([new_job(suffix, delay=delay, tenant=tenant) for suffix in suffixes])
        self.submitted += suffixes

    async def submit_twice(self, *suffixes: str) -> None:
        """Store jobs, hear nothing, store them again when somebody has taken the first."""
        jobs = [new_job(suffix, priority=9) for suffix in suffixes]
        self.submitted += suffixes
        self.lossy.lose = 1
        with pytest.raises(StoreUnavailable):
            await self._send(jobs)
        early, late = await self.queue.worker(), await self.queue.worker()
        first = await early.take(1)
        await self._send(jobs)
        await end(late, *await late.take())
        await end(early, *first)
        await early.leave()
        await late.leave()

    async def _send(self, jobs: Sequence[NewJob]) -> None:
        await self.queue.store.submit(self.queue.name, jobs)

    async def reap(self, limit: int) -> None:
        """One slice."""
        await self.queue.store.reap(self.queue.name, max_crashes=3, ending=BURIAL, keep=FOREVER, limit=limit)


async def end(hand: Hand, *jobs: Claimed, state: JobState = JobState.SUCCEEDED, delay: int = 0) -> None:
    """Settle as a worker does: the attempt is the record's and, if it counts, one more."""
    counts = state not in UNCOUNTED
    await hand.settle(
        *[
            Settlement(
                job.suffix,
                job.token,
                state,
                parse_record(job.raw).header.attempt + counts,
                FOREVER if state.final else delay,
                ending(),
            )
            for job in jobs
        ]
    )


async def play(harness: StoreHarness) -> list[Record]:
    """The history of one day, with the final look at every job."""
    day = Day(harness)
    for step in (morning, returns, cancelled, lost_answers, a_crash, the_same_again):
        await step(day)
    await evening(day)
    await day.recorder.final(day.plain, day.queue.name, day.submitted)
    return day.history


async def morning(day: Day) -> None:
    """Submissions one after the other, a retry at once and a later one, a parked job, two with a delay."""
    await day.submit("a1", "a2", "a3")
    await day.submit("a4")
    await day.submit("b1", "b2", tenant="acme")
    await day.submit("d1", "d2", delay=50)
    first = await day.queue.worker()
    jobs = await first.take(3)
    for job, state in zip(jobs, (JobState.SUCCEEDED, JobState.SCHEDULED, JobState.READY), strict=False):
        await end(first, job, state=state, delay=20)
    for job in await first.take(1):
        await end(first, job, state=JobState.PARKED, delay=20)
    await day.queue.advance(60)
    await day.queue.promote()
    await end(first, *await first.take())
    await first.leave()


async def returns(day: Day) -> None:
    """One job goes back and is taken again by the same worker; another leaves with what it holds."""
    await day.submit("r1", "r2")
    worker, other = await day.queue.worker(), await day.queue.worker()
    taken = await worker.take(1)
    await worker.release(*taken)
    again = await worker.take(1)
    await end(worker, *taken)  # too late, under the token that was given back
    await end(worker, *again)
    await other.take(1)
    await other.leave()
    await worker.leave()


async def cancelled(day: Day) -> None:
    """A waiting job is cancelled, and its place in the line met by a claim."""
    await day.submit("c1", "c2")
    await day.queue.store.cancel(day.queue.name, "c1")
    worker = await day.queue.worker()
    await end(worker, *await worker.take())
    await worker.leave()


async def lost_answers(day: Day) -> None:
    """Answers to a submission, a claim, a settlement and a release are lost and everything is sent again."""
    await day.submit_twice("s1", "s2")
    await day.submit("l1", "l2", "l3", "l4")
    worker = await day.queue.worker()
    for again in (worker.again, worker.beat):
        day.lossy.lose = 1
        with pytest.raises(StoreUnavailable):
            await worker.claim(2)
        await again()
    jobs = await worker.take(2)
    for _ in range(2):
        day.lossy.lose = 1
        with pytest.raises(StoreUnavailable):
            await end(worker, *jobs)
    await end(worker, *jobs)
    await day.queue.store.return_claim(day.queue.name, worker.name, 2)
    await worker.leave()


async def a_crash(day: Day) -> None:
    """A worker falls silent, is revoked and reaped slice by slice, and comes back too late."""
    silent, other = await day.queue.worker(), await day.queue.worker()
    await day.submit("x1", "x2", "x3")
    jobs = await silent.take(5)
    await day.queue.advance(LEASE // 2)
    await other.beat()
    await day.submit("y1")
    await day.queue.advance(LEASE // 2)
    mine = await other.take(1)
    await day.reap(limit=1)
    await end(silent, *jobs[-1:])
    await day.reap(limit=10)
    await other.names(1)
    await end(silent, *jobs[:1])
    await end(other, *mine)
    await other.leave()


async def the_same_again(day: Day) -> None:
    """A worker that lives is looked at by the reaper, and nothing happens."""
    await day.submit("z1", "z2")
    worker, other = await day.queue.worker(), await day.queue.worker()
    jobs = await worker.take(1)
    await day.reap(limit=10)
    more = await other.take(10)
    await end(worker, *jobs)
    await end(other, *more)
    await worker.leave()
    await other.leave()


async def evening(day: Day) -> None:
    """Whatever is left is brought to its end."""
    last = await day.queue.worker()
    for _ in range(ROUNDS):
        await day.queue.advance(LEASE // 3)
        await last.beat()
        await day.reap(limit=100)
        await day.queue.promote()
        await end(last, *await last.take())
