"""Nothing is left behind: what a queue occupies when all is over."""

from penstock.engine.job import JobState
from penstock.engine.limits import RESULT_TTL
from support.stores import KEEP, LEASE, QueueUnderTest


async def left(queue: QueueUnderTest) -> set[str]:
    return await queue.harness.leftovers(queue.name)


async def test_waiting_and_running_jobs_are_not_left_alone(queue: QueueUnderTest) -> None:
    """The helper sees what is there: this test keeps the others honest."""
    assert await left(queue) == set()
    await queue.submit("a", unique="k")
    assert await left(queue) != set()


async def test_ended_jobs_leave_only_their_records_and_these_go(queue: QueueUnderTest) -> None:
    """After every kind of end, `keep` passed and the workers gone, the queue occupies nothing."""
    await queue.submit(*"abcdefg", unique=None)
    await queue.submit("h", unique="k")
    await queue.submit("late", delay=50)
    worker, crashing = await queue.worker(), await queue.worker()
    await queue.store.cancel(queue.name, "a")
    await queue.store.cancel(queue.name, "late")
    b, c, d, e = await worker.take(4)
    await worker.end(b, JobState.SUCCEEDED)
    await worker.end(c, JobState.DEAD)
    await worker.end(d, JobState.PARKED, delay=10)
    await worker.end(e, JobState.SCHEDULED, delay=20)
    await crashing.take()
    await queue.advance(LEASE - 1)
    await worker.beat()
    await queue.advance(1)
    await queue.reap()
    await queue.promote()
    while jobs := await worker.take():
        for claimed in jobs:
            await worker.end(claimed)
    await worker.leave()
    await queue.advance(max(KEEP, int(RESULT_TTL * 1000)))
    assert await left(queue) == set()


async def test_a_worker_that_comes_and_goes_leaves_nothing(queue: QueueUnderTest) -> None:
    """Lease, claim number and idle registration end with the worker, whichever way it ends."""
    leaving, dying = await queue.worker(), await queue.worker()
    async with leaving.idle(), dying.idle():
        await leaving.leave()
        await queue.crash(dying)
    for hand in (leaving, dying):
        await queue.store.return_claim(queue.name, hand.name, 99)
        await hand.claim(idle=True)
        await hand.beat()
    assert await left(queue) == set()


async def test_slots_and_the_role_of_reporting_go_with_who_had_them(queue: QueueUnderTest) -> None:
    """A worker's slots with its lease, the role when its holder resigns."""
    for worker in ("leaving", "dying"):
        await queue.store.join(queue.name, worker, LEASE, 4)
    await queue.store.report(queue.name, "process", LEASE)
    await queue.store.leave(queue.name, "leaving")
    await queue.advance(LEASE)
    await queue.reap()
    await queue.store.resign(queue.name, "process")
    assert await left(queue) == set()


async def test_a_wish_to_cancel_goes_with_the_job(queue: QueueUnderTest) -> None:
    """However a job ends that somebody asked to cancel: settled, cancelled after a release, or buried."""
    await queue.submit("settled", "released", "buried")
    worker, crashing = await queue.worker(), await queue.worker()
    settled, released = await worker.take(2)
    await crashing.take()
    for name in ("settled", "released", "buried"):
        await queue.store.cancel(queue.name, name)
    await worker.end(settled)
    await worker.release(released)
    await queue.store.cancel(queue.name, "released")
    await queue.advance(LEASE)
    await queue.store.reap(queue.name, max_crashes=1, ending=b"", keep=KEEP)
    cleaner = await queue.worker()
    assert await cleaner.take() == []
    await cleaner.leave()
    await queue.advance(int(RESULT_TTL * 1000))
    assert await left(queue) == set()
