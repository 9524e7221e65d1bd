"""Facts: depths and ages of a queue, exact at every moment."""

from penstock.engine.job import JobState
from penstock.engine.store import QueueFacts
from support.stores import LEASE, QueueUnderTest


async def depths(queue: QueueUnderTest) -> tuple[int, int, int, int]:
    """(ready, scheduled, running, dead)."""
    facts = await queue.store.facts(queue.name)
    return facts.ready, facts.scheduled, facts.running, facts.dead


async def test_a_queue_nobody_has_used(queue: QueueUnderTest) -> None:
    """Nothing is there, and nothing has an age."""
    assert await queue.store.facts(queue.name) == QueueFacts(
        queue=queue.name,
        now=queue.now,
        ready=0,
        scheduled=0,
        running=0,
        dead=0,
        workers=0,
        oldest_ready=None,
        oldest_running=None,
        next_due=None,
        slots=0,
    )


async def test_depths_follow_every_move(queue: QueueUnderTest) -> None:
    """Every step of every life moves exactly one job from one depth to another."""
    await queue.submit("a", "b", "c", "d")
    await queue.submit("later", delay=100)
    assert await depths(queue) == (4, 1, 0, 0)
    worker = await queue.worker()
    a, b, c = await worker.take(3)
    assert await depths(queue) == (1, 1, 3, 0)
    await worker.end(a, JobState.DEAD)
    assert await depths(queue) == (1, 1, 2, 1)
    await worker.end(b, JobState.PARKED, delay=50)
    assert await depths(queue) == (1, 2, 1, 1)
    await worker.release(c)
    assert await depths(queue) == (2, 2, 0, 1)
    await queue.store.cancel(queue.name, "d")
    assert await depths(queue) == (1, 2, 0, 1)
    await queue.advance(100)
    await queue.promote()
    assert await depths(queue) == (3, 0, 0, 1)
    last = await worker.take()
    assert await depths(queue) == (0, 0, 3, 1)
    await worker.end(last[0], JobState.READY)
    await worker.end(last[1], JobState.SCHEDULED)
    await worker.end(last[2], JobState.SUCCEEDED)
    assert await depths(queue) == (1, 1, 0, 1)


async def test_suspects_count_as_ready_and_orphans_as_running(queue: QueueUnderTest) -> None:
    """Nothing is uncounted while it is being moved from a dead worker."""
    await queue.submit("a", "b", "c")
    await (await queue.worker()).take()
    await queue.advance(LEASE)
    assert await depths(queue) == (0, 0, 3, 0)
    await queue.reap(limit=2)
    assert await depths(queue) == (2, 0, 1, 0)
    await queue.reap()
    assert await depths(queue) == (3, 0, 0, 0)


async def test_workers_are_those_with_a_live_lease(queue: QueueUnderTest) -> None:
    """An expired lease does not count, revoked or not, and one that left neither."""
    one = await queue.worker()
    await queue.advance(1)
    two, _ = await queue.worker(), await queue.worker()
    assert (await queue.store.facts(queue.name)).workers == 3
    await two.leave()
    assert (await queue.store.facts(queue.name)).workers == 2
    await queue.advance(LEASE - 1)
    assert (await queue.store.facts(queue.name)).workers == 1
    await queue.reap()
    assert (await queue.store.facts(queue.name)).workers == 1
    assert await one.beat() is None


async def test_slots_are_those_of_workers_with_a_live_lease(queue: QueueUnderTest) -> None:
    """They come and go with their worker, however it goes; one that never told how many it has counts 0."""

    async def slots() -> int:
        return (await queue.store.facts(queue.name)).slots

    await queue.worker()
    assert await slots() == 0
    for name, count in (("one", 4), ("two", 8)):
        await queue.store.join(queue.name, name, LEASE, count)
    assert await slots() == 12
    await queue.store.leave(queue.name, "one")
    assert await slots() == 8
    await queue.advance(LEASE)
    assert await slots() == 0
    await queue.reap()
    await queue.store.join(queue.name, "two", LEASE)
    assert await slots() == 0


async def test_slots_are_told_again_or_stand(queue: QueueUnderTest) -> None:
    """A lease that is begun anew may say another number; without one, what was said stands."""
    for told, known in ((4, 4), (0, 4), (6, 6)):
        await queue.store.join(queue.name, "w", LEASE, told)
        assert (await queue.store.facts(queue.name)).slots == known


async def test_a_worker_of_several_queues_counts_in_each(queue: QueueUnderTest) -> None:
    """Whatever it does for one of them it could do for the other."""
    other = QueueUnderTest(queue.harness)
    for one in (queue, other):
        await one.store.join(one.name, "w", LEASE, 4)
        assert (await one.store.facts(one.name)).slots == 4


async def test_the_age_of_what_waits(queue: QueueUnderTest) -> None:
    """`oldest_ready` is the due time of the job that has waited longest, over all lines."""
    start = queue.now
    await queue.submit("a", tenant="acme", priority=1)
    await queue.advance(10)
    await queue.submit("b", tenant="bolt", priority=9)
    worker = await queue.worker()
    assert (await queue.store.facts(queue.name)).oldest_ready == start
    (b,) = await worker.take(1)
    assert (await queue.store.facts(queue.name)).oldest_ready == start
    await worker.take(1)
    assert (await queue.store.facts(queue.name)).oldest_ready is None
    await worker.release(b)
    assert (await queue.store.facts(queue.name)).oldest_ready == start + 10


async def test_a_suspects_age_counts(queue: QueueUnderTest) -> None:
    """The line of suspects is one of the lines."""
    start = queue.now
    await queue.suspects("s")
    await queue.submit("a")
    assert (await queue.store.facts(queue.name)).oldest_ready == start


async def test_a_cancelled_head_has_no_age(queue: QueueUnderTest) -> None:
    """A cancelled job is passed over, and hides the age of nobody behind it."""
    await queue.submit("a")
    await queue.advance(10)
    await queue.submit("b")
    await queue.store.cancel(queue.name, "a")
    assert (await queue.store.facts(queue.name)).oldest_ready == queue.now


async def test_the_age_of_what_runs(queue: QueueUnderTest) -> None:
    """`oldest_running` is when the longest-running job was claimed, orphans included."""
    await queue.submit("a", "b")
    worker = await queue.worker()
    start = queue.now
    (a,) = await worker.take(1)
    await queue.advance(10)
    await worker.take(1)
    assert (await queue.store.facts(queue.name)).oldest_running == start
    await worker.end(a)
    assert (await queue.store.facts(queue.name)).oldest_running == start + 10
    await queue.advance(LEASE)
    await queue.reap(limit=0)
    assert (await queue.store.facts(queue.name)).oldest_running == start + 10
    await queue.reap()
    assert (await queue.store.facts(queue.name)).oldest_running is None


async def test_next_due_is_the_earliest(queue: QueueUnderTest) -> None:
    """Of all that is scheduled or parked."""
    await queue.submit("a", delay=50)
    await queue.submit("b", delay=20)
    assert (await queue.store.facts(queue.name)).next_due == queue.now + 20
