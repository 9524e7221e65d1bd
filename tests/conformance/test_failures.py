"""Counting failures: with the settlement that ends the attempt, once, and never without bound."""

import pytest

from penstock.engine.failure_counts import FailureCount, failure_of
from penstock.engine.job import JobError, JobState
from penstock.engine.limits import MAX_FAILURES
from penstock.engine.store import SLICE
from support.stores import BURIAL, KEEP, LEASE, QueueUnderTest, failure, settlement

TRACE = "0af7651916cd43dd8448eb211c80319c"


def equal(number: int) -> str:
    """A fingerprint."""
    return f"{number:016x}"


async def counts(queue: QueueUnderTest) -> dict[str, int]:
    """How often each fingerprint came, the last seen first."""
    return {one.fingerprint: one.count for one in await queue.store.failures(queue.name)}


async def test_nothing_has_failed(queue: QueueUnderTest) -> None:
    """A queue that nobody has used has no failures, and successes make none."""
    assert await queue.store.failures(queue.name) == []
    await queue.submit("a")
    worker = await queue.worker()
    await worker.end(await worker.take_one())
    assert await queue.store.failures(queue.name) == []


async def test_a_failure_is_counted_with_its_settlement(queue: QueueUnderTest) -> None:
    """How often, first and last time on the store's clock, and what the last one looked like."""
    await queue.submit("a", "b")
    worker = await queue.worker()
    a, b = await worker.take()
    first = queue.now
    await worker.end(a, JobState.DEAD, failure=failure(equal(1), "for Ann"))
    await queue.advance(40)
    error = JobError("KeyError", "für Bob", "…", 1, "w", f"00-{TRACE}-{'1' * 16}-01", equal(1))
    await worker.end(b, JobState.SCHEDULED, failure=failure_of("shop.charge", error))
    assert await queue.store.failures(queue.name) == [
        FailureCount(
            queue=queue.name,
            fingerprint=equal(1),
            count=2,
            first_seen=first,
            last_seen=first + 40,
            job_id=f"{queue.name}.b",
            job="shop.charge",
            type="KeyError",
            message="für Bob",
            trace_id=TRACE,
        )
    ]


async def test_the_one_seen_last_comes_first(queue: QueueUnderTest) -> None:
    """Whoever looks wants to know what fails now."""
    await queue.submit("a", "b", "c")
    worker = await queue.worker()
    for number, job in zip((1, 2, 1), await worker.take(), strict=True):
        await queue.advance(1)
        await worker.end(job, JobState.DEAD, failure=failure(equal(number)))
    assert list((await counts(queue)).items()) == [(equal(1), 2), (equal(2), 1)]


async def test_failures_of_one_batch_are_counted_one_by_one(queue: QueueUnderTest) -> None:
    """Those that succeeded in between are not, and the last of each is its example."""
    names = [f"j{n}" for n in range(9)]
    await queue.submit(*names)
    worker = await queue.worker()
    jobs = await worker.take()
    endings = [
        settlement(job, JobState.DEAD, failure=failure(equal(n % 3))) if n % 3 else settlement(job)
        for n, job in enumerate(jobs)
    ]
    assert await worker.settle(*endings) == ["settled"] * 9
    listed = await queue.store.failures(queue.name)
    assert [(one.fingerprint, one.count, one.job_id) for one in listed] == [
        (equal(1), 3, f"{queue.name}.j7"),
        (equal(2), 3, f"{queue.name}.j8"),
    ]


async def test_a_settlement_sent_again_is_not_counted_again(queue: QueueUnderTest) -> None:
    """Whether its answer was lost, or it stands twice in one batch, or the job has gone on since."""
    await queue.submit("a")
    worker = await queue.worker()
    first = settlement(await worker.take_one(), JobState.READY, failure=failure())
    for _ in range(2):
        assert await worker.settle(first, first) == ["settled", "settled"]
    assert list((await counts(queue)).values()) == [1]
    second = await worker.take_one()
    assert await worker.settle(first) == ["settled"]
    await worker.end(second, JobState.DEAD, attempt=2, failure=failure())
    assert await worker.settle(first) == ["refused"]
    assert list((await counts(queue)).values()) == [2]


async def test_what_is_refused_is_not_counted(queue: QueueUnderTest) -> None:
    """A late worker's failure is nobody's: the job is run by somebody else."""
    await queue.submit("a", "b")
    old = await queue.worker()
    a, b = await old.take()
    await old.release(b)
    endings = [settlement(job, JobState.DEAD, failure=failure(equal(n))) for n, job in enumerate((b, a), 1)]
    assert await old.settle(*endings) == ["refused", "settled"]
    assert await counts(queue) == {equal(2): 1}


@pytest.mark.parametrize("counted", [True, False])
async def test_jobs_whose_workers_died_are_counted_when_they_die(
    queue: QueueUnderTest, counted: bool
) -> None:
    """Not those that are given to others; and where no failure is named, none."""
    await queue.suspects("poison")
    await queue.submit("innocent")
    victim = await queue.worker()
    await victim.take()
    await queue.advance(LEASE)
    for dead in (["poison"], []):
        reaping = await queue.store.reap(
            queue.name,
            max_crashes=2,
            ending=BURIAL,
            keep=KEEP,
            failure=failure(equal(7)) if counted else None,
        )
        assert reaping.dead == dead
    assert await counts(queue) == ({equal(7): 1} if counted else {})
    assert [one.job_id for one in await queue.store.failures(queue.name)] == [
        f"{queue.name}.poison"
    ] * counted


async def _fail(queue: QueueUnderTest, numbers: range) -> None:
    """Jobs that fail with these fingerprints, in as few settlements as possible."""
    await queue.submit(*(f"{queue.now}-{n}" for n in numbers))
    worker = await queue.worker()
    jobs = [one for _ in range(0, len(numbers), 500) for one in await worker.take(500)]
    await worker.settle(
        *(
            settlement(job, JobState.DEAD, failure=failure(equal(n)))
            for n, job in zip(numbers, jobs, strict=True)
        )
    )


async def test_the_failures_seen_longest_ago_make_room(queue: QueueUnderTest) -> None:
    """Up to the bound all are kept; with one more the tenth that was seen longest ago goes, at once."""
    await _fail(queue, range(MAX_FAILURES // 2))
    await queue.advance(10)
    await _fail(queue, range(MAX_FAILURES // 2, MAX_FAILURES))
    await queue.advance(10)
    await _fail(queue, range(30))  # these are seen again
    assert len(await counts(queue)) == MAX_FAILURES
    await queue.advance(10)
    await _fail(queue, range(MAX_FAILURES, MAX_FAILURES + 1))
    tenth = MAX_FAILURES // 10
    gone = range(30, 30 + tenth + 1)
    assert await counts(queue) == {equal(n): 1 + (n < 30) for n in range(MAX_FAILURES + 1) if n not in gone}
    assert next(iter(await counts(queue))) == equal(MAX_FAILURES)


async def test_one_batch_of_nothing_but_new_failures(queue: QueueUnderTest) -> None:
    """However many come at once, what is left is within the bound."""
    await _fail(queue, range(SLICE))
    await queue.advance(1)
    await _fail(queue, range(SLICE, 2 * SLICE))
    kept = await counts(queue)
    assert len(kept) == MAX_FAILURES * 9 // 10
    assert set(kept) == {equal(n) for n in range(2 * SLICE - len(kept), 2 * SLICE)}
