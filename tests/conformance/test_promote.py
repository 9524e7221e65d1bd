"""Promoting: what is due becomes ready, oldest first."""

from penstock.engine.job import JobState
from support.stores import QueueUnderTest


async def test_nothing_is_promoted_before_it_is_due(queue: QueueUnderTest) -> None:
    """One millisecond early is too early; the answer says when it will be."""
    await queue.submit("a", delay=100)
    await queue.advance(99)
    promotion = await queue.store.promote(queue.name)
    assert (promotion.moved, promotion.next_due, promotion.now) == (0, queue.now + 1, queue.now)
    await queue.advance(1)
    promotion = await queue.store.promote(queue.name)
    assert (promotion.moved, promotion.next_due) == (1, None)


async def test_promoting_changes_only_the_state(queue: QueueUnderTest) -> None:
    """The due time stays: it tells since when the job waits."""
    await queue.submit("a", delay=100)
    before = await queue.header("a")
    await queue.advance(150)
    await queue.promote()
    after = await queue.header("a")
    assert (before.state, after.state) == (JobState.SCHEDULED, JobState.READY)
    assert (after.due, after.token, after.attempt) == (before.due, before.token, before.attempt)


async def test_the_oldest_are_promoted_first_and_go_to_the_tail(queue: QueueUnderTest) -> None:
    """Due order decides among the promoted; whoever was ready already stays in front."""
    await queue.submit("third", delay=30)
    await queue.submit("first", delay=10)
    await queue.submit("second", delay=20)
    await queue.submit("ready")
    await queue.advance(30)
    assert await queue.promote(limit=2) == 2
    assert await queue.promote(limit=2) == 1
    assert await (await queue.worker()).names() == ["ready", "first", "second", "third"]


async def test_what_the_limit_leaves_is_still_due(queue: QueueUnderTest) -> None:
    """`next_due` in the past tells that another slice is waiting."""
    await queue.submit("a", "b", "c", delay=10)
    await queue.advance(10)
    promotion = await queue.store.promote(queue.name, 2)
    assert (promotion.moved, promotion.next_due) == (2, queue.now)


async def test_promoted_jobs_go_to_their_own_lines(queue: QueueUnderTest) -> None:
    """Priority and tenant count as for every ready job."""
    await queue.submit("low", delay=5, priority=1)
    await queue.submit("high", delay=9, priority=8, tenant="acme")
    await queue.advance(9)
    await queue.promote()
    assert await (await queue.worker()).names() == ["high", "low"]


async def test_a_cancelled_one_is_dropped_and_not_counted(queue: QueueUnderTest) -> None:
    """Cancelled while it waited, it never becomes ready."""
    await queue.submit("a", "b", delay=10)
    await queue.store.cancel(queue.name, "a")
    await queue.advance(10)
    assert await queue.promote() == 1
    assert await queue.state("a") is JobState.CANCELLED
    assert await (await queue.worker()).names() == ["b"]


async def test_a_scheduled_job_is_not_claimed(queue: QueueUnderTest) -> None:
    """Being due is not enough: somebody has to promote it."""
    await queue.submit("a", delay=10)
    await queue.advance(20)
    worker = await queue.worker()
    claim = await worker.claim()
    assert claim is not None
    assert (claim.jobs, claim.more, claim.next_due) == ([], False, queue.now - 10)
