"""Wakes: who waits is told of work, once, in turn, and nobody else is.

That nobody is woken is proved without waiting: each sleeper holds a job of its own, and the word that this
one is to be cancelled, sent afterwards, must be the first thing it hears.
"""

from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager

from penstock.engine.job import JobState
from penstock.engine.store import Wake
from support.stores import LEASE, Hand, QueueUnderTest, heard


class Sleeper:
    """A worker that can be seen to hear something, or nothing."""

    def __init__(self, hand: Hand, marker: str) -> None:
        self.hand = hand
        self._marker = marker

    @asynccontextmanager
    async def sleeping(self) -> AsyncGenerator[None]:
        """Idle from now on; the store tells by its clock who has been so longest."""
        await self.hand.queue.advance(1)
        async with self.hand.idle() as self._wakes:
            yield

    async def woken(self) -> None:
        """It hears of work, which must come."""
        assert await heard(self._wakes) == Wake(self.hand.queue.name)

    async def asleep(self) -> None:
        """It has heard nothing until now."""
        await self.hand.store.cancel(self.hand.queue.name, self._marker)
        assert await heard(self._wakes) == Wake(self.hand.queue.name, cancel=self._marker)

    async def rest(self) -> None:
        """It looks again, finds nothing and registers."""
        claim = await self.hand.claim(idle=True)
        assert claim is not None
        assert claim.jobs == []


async def awake(queue: QueueUnderTest) -> Sleeper:
    """A worker with a marker that has not gone to sleep yet."""
    hand = await queue.worker()
    marker = f"marker-{hand.name}"
    await queue.submit(marker, priority=9)
    assert await hand.names(1) == [marker]
    return Sleeper(hand, marker)


@asynccontextmanager
async def sleepers(queue: QueueUnderTest, count: int) -> AsyncGenerator[list[Sleeper]]:
    """Workers that have all gone to sleep, one after the other."""
    workers = [await awake(queue) for _ in range(count)]
    async with AsyncExitStack() as stack:
        for worker in workers:
            await stack.enter_async_context(worker.sleeping())
        yield workers


async def test_submitting_wakes_one(queue: QueueUnderTest) -> None:
    """Work for many wakes the one that has been idle longest; its claim wakes the next."""
    async with sleepers(queue, 2) as (first, second):
        await queue.submit("a", "b")
        await first.woken()
        await second.asleep()


async def test_whoever_was_woken_is_idle_no_more(queue: QueueUnderTest) -> None:
    """The second submission wakes the second sleeper; the third finds nobody."""
    async with sleepers(queue, 2) as (first, second):
        for name in "abc":
            await queue.submit(name)
        await first.woken()
        await second.woken()
        await first.asleep()
        await second.asleep()


async def test_nobody_is_woken_who_did_not_ask(queue: QueueUnderTest) -> None:
    """Listening alone is not enough: only an empty claim with `idle` registers."""
    async with sleepers(queue, 1) as (one,):
        await queue.submit("a")
        await one.woken()
        assert await one.hand.names() == ["a"]
        assert await one.hand.names() == []
        await queue.submit("b")
        await one.asleep()


async def test_a_claim_that_finds_work_unregisters(queue: QueueUnderTest) -> None:
    """One that has got something to do is not woken for more."""
    async with sleepers(queue, 2) as (first, second):
        await queue.submit("a")
        await first.woken()
        assert await second.hand.names() == ["a"]  # registered still, it looked all the same
        await queue.submit("b")
        await second.asleep()
        await first.asleep()


async def test_a_wake_is_not_lost_between_listening_and_claiming(queue: QueueUnderTest) -> None:
    """Word sent after the empty claim is there, however late one begins to read."""
    worker = await queue.worker()
    async with worker.idle() as wakes:
        await queue.submit("a")
        assert await worker.names() == ["a"]
        assert await heard(wakes) == Wake(queue.name)


async def test_a_claim_that_leaves_work_behind_wakes_another(queue: QueueUnderTest) -> None:
    """One wake becomes as many as there is work for."""
    async with sleepers(queue, 3) as (first, second, third):
        await queue.submit("a", "b")
        await first.woken()
        assert len(await first.hand.take(1)) == 1
        await second.woken()
        assert len(await second.hand.take(1)) == 1
        await third.asleep()


async def test_a_nudge_wakes_another_while_there_is_work(queue: QueueUnderTest) -> None:
    """One that was woken but has no room passes the word on; without jobs there is none to pass."""
    async with sleepers(queue, 2) as (first, second):
        await queue.store.nudge(queue.name)
        await queue.submit("a")
        await first.woken()
        await queue.store.nudge(queue.name)
        await second.woken()
        await first.asleep()


async def test_an_empty_claim_wakes_nobody(queue: QueueUnderTest) -> None:
    """While only suspects wait, workers that may not take one must not wake each other without end."""
    async with sleepers(queue, 2) as (first, second):
        await queue.submit("s")
        await first.woken()
        victim = await queue.worker()
        assert await victim.names() == ["s"]
        await queue.advance(LEASE - 1)
        await first.hand.beat()
        await second.hand.beat()
        await queue.advance(1)
        await queue.reap()
        await second.woken()
        await first.hand.claim(suspect=False, idle=True)
        await second.hand.claim(suspect=False, idle=True)
        await first.asleep()
        await second.asleep()


async def test_one_that_listens_no_more_is_passed_over(queue: QueueUnderTest) -> None:
    """The word goes to the next sleeper that hears it."""
    gone, other = await awake(queue), await awake(queue)
    async with gone.sleeping():
        pass
    async with other.sleeping():
        await queue.submit("a")
        await other.woken()


async def test_one_that_left_or_was_revoked_is_not_woken(queue: QueueUnderTest) -> None:
    """Ending a lease ends the registration."""
    other, left, revoked = await awake(queue), await queue.worker(), await queue.worker()
    async with left.idle(), revoked.idle():
        await left.leave()
        await queue.advance(LEASE - 1)
        await other.hand.beat()
        await queue.advance(1)
        assert (await queue.reap()).revoked == [revoked.name]
        async with other.sleeping():
            await queue.submit("a")
            await other.woken()


async def test_a_scheduled_job_wakes_when_it_is_the_next_one_due(queue: QueueUnderTest) -> None:
    """Sleepers wait until the next due time: an earlier one must reach them, a later one need not."""
    await queue.submit("later", delay=500)
    async with sleepers(queue, 1) as (one,):
        await queue.submit("much-later", delay=900)
        await one.asleep()
        await queue.submit("sooner", delay=100)
        await one.woken()


async def test_promoting_wakes(queue: QueueUnderTest) -> None:
    """What became due is work."""
    await queue.submit("later", delay=500)
    async with sleepers(queue, 1) as (one,):
        await queue.promote()
        await one.asleep()
        await queue.advance(500)
        await queue.promote()
        await one.woken()


async def test_a_retry_at_once_wakes(queue: QueueUnderTest) -> None:
    """A job settled as ready is work for somebody else."""
    await queue.submit("a")
    busy = await queue.worker()
    claimed = await busy.take_one()
    async with sleepers(queue, 1) as (one,):
        await busy.end(claimed, JobState.READY)
        await one.woken()


async def test_a_retry_later_wakes_when_it_is_the_next_one_due(queue: QueueUnderTest) -> None:
    """A job settled as scheduled or parked may be due before anything the sleepers know of."""
    await queue.submit("a", "b", "c")
    busy = await queue.worker()
    a, b, c = await busy.take()
    async with sleepers(queue, 1) as (one,):
        await busy.end(a, JobState.SCHEDULED, delay=500)
        await one.woken()
        await one.rest()
        await busy.end(b, JobState.SCHEDULED, delay=900)
        await one.asleep()
        await busy.end(c, JobState.PARKED, delay=100)
        await one.woken()


async def test_a_final_settlement_wakes_nobody(queue: QueueUnderTest) -> None:
    """An ended job is no work."""
    await queue.submit("a")
    busy = await queue.worker()
    claimed = await busy.take_one()
    async with sleepers(queue, 1) as (one,):
        await busy.end(claimed)
        await one.asleep()


async def test_giving_back_wakes(queue: QueueUnderTest) -> None:
    """Released, returned and left-behind jobs are work for others."""
    await queue.submit("a")
    busy = await queue.worker()
    jobs = await busy.take()
    async with sleepers(queue, 1) as (one,):
        await busy.release(*jobs)
        await one.woken()
        await busy.take()
        await one.rest()
        await queue.store.return_claim(queue.name, busy.name, busy.number)
        await one.woken()
        await busy.take()
        await one.rest()
        await busy.leave()
        await one.woken()


async def test_giving_back_nothing_wakes_nobody(queue: QueueUnderTest) -> None:
    """Empty releases and leaves are no news."""
    busy = await queue.worker()
    async with sleepers(queue, 1) as (one,):
        await busy.release()
        await queue.store.return_claim(queue.name, busy.name, 9)
        await busy.leave()
        await one.asleep()


async def test_reaping_wakes(queue: QueueUnderTest) -> None:
    """A dead worker's jobs are work for others."""
    await queue.submit("a")
    victim = await queue.worker()
    await victim.take()
    await queue.advance(LEASE - 1)
    async with sleepers(queue, 1) as (one,):
        await queue.advance(1)
        await queue.reap()
        await one.woken()


async def test_cancelling_a_running_job_tells_its_worker_only(queue: QueueUnderTest) -> None:
    """The word names the job; nobody else hears it."""
    async with sleepers(queue, 2) as (first, second):
        await first.asleep()
        await second.asleep()


async def test_one_listener_hears_of_all_its_queues(queue: QueueUnderTest) -> None:
    """Each wake names its queue."""
    other = QueueUnderTest(queue.harness)
    here, there = await queue.worker(), await other.worker()
    assert here.name == there.name
    async with queue.store.listen(here.name, [queue.name, other.name]) as wakes:
        await here.claim(idle=True)
        await there.claim(idle=True)
        await other.submit("a")
        assert await heard(wakes) == Wake(other.name)
        await queue.submit("a")
        assert await heard(wakes) == Wake(queue.name)
