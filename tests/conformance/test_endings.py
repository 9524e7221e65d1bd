"""Endings: every final state is published with the change that makes it."""

from penstock.engine.job import FINAL, JobState
from penstock.engine.store import Ended
from support.stores import QueueUnderTest, heard, settlement


async def test_every_final_state_is_published_once_and_in_order(queue: QueueUnderTest) -> None:
    """Settled jobs appear with their states; retries do not appear; a repeated settlement is silent."""
    await queue.submit(*FINAL, "again")
    worker = await queue.worker()
    async with queue.store.endings(queue.name) as endings:
        for claimed in await worker.take():
            state = JobState.READY if claimed.suffix == "again" else JobState(claimed.suffix)
            await worker.end(claimed, state)
            await worker.end(claimed, state)
            if state.final:
                assert await heard(endings) == Ended(claimed.suffix, state)


async def test_a_batch_is_published_job_by_job(queue: QueueUnderTest) -> None:
    """One settle call of many jobs gives as many endings, in its order."""
    names = [f"j{n}" for n in range(300)]
    await queue.submit(*names)
    worker = await queue.worker()
    jobs = await worker.take(300)
    async with queue.store.endings(queue.name) as endings:
        for claimed in jobs[:2]:
            await worker.end(claimed)
        await worker.settle(*map(settlement, jobs[2:]))
        assert [(await heard(endings)).suffix for _ in names] == names


async def test_cancelling_a_waiting_job_is_published(queue: QueueUnderTest) -> None:
    """Whoever waits for a cancelled job hears of its end; asking again is silent."""
    await queue.submit("a")
    await queue.submit("b", delay=10)
    async with queue.store.endings(queue.name) as endings:
        for name in "aab":
            await queue.store.cancel(queue.name, name)
        assert await heard(endings) == Ended("a", JobState.CANCELLED)
        assert await heard(endings) == Ended("b", JobState.CANCELLED)


async def test_a_burial_by_the_reaper_is_published(queue: QueueUnderTest) -> None:
    """A job that crashed its last worker has ended; before that it has not."""
    await queue.submit("a")
    async with queue.store.endings(queue.name) as endings:
        for _ in range(3):
            victim = await queue.worker()
            await victim.take()
            await queue.crash(victim)
        assert await heard(endings) == Ended("a", JobState.DEAD)


async def test_what_ended_before_is_not_told(queue: QueueUnderTest) -> None:
    """The stream begins when the context is entered, and belongs to its queue."""
    other = QueueUnderTest(queue.harness)
    await other.submit("x")
    await queue.submit("a", "b")
    await queue.store.cancel(queue.name, "a")
    async with queue.store.endings(queue.name) as endings:
        await other.store.cancel(other.name, "x")
        await queue.store.cancel(queue.name, "b")
        assert await heard(endings) == Ended("b", JobState.CANCELLED)


async def test_every_watcher_hears_everything(queue: QueueUnderTest) -> None:
    """Endings are not shared out among watchers."""
    await queue.submit("a")
    async with queue.store.endings(queue.name) as one, queue.store.endings(queue.name) as two:
        await queue.store.cancel(queue.name, "a")
        assert await heard(one) == await heard(two) == Ended("a", JobState.CANCELLED)


async def test_the_change_is_visible_to_whoever_hears_of_it(queue: QueueUnderTest) -> None:
    """Looking at the job after hearing of its end shows the end."""
    await queue.submit("a")
    worker = await queue.worker()
    claimed = await worker.take_one()
    async with queue.store.endings(queue.name) as endings:
        await worker.end(claimed)
        ended = await heard(endings)
        assert await queue.state(ended.suffix) is ended.state
