"""Handing over: a job that nothing waits before comes with the wake-up, claimed already."""

from penstock.engine.job import JobState
from penstock.engine.limits import RESULT_TTL
from penstock.engine.store import Wake
from support.stores import LEASE, Hand, QueueUnderTest, heard, new_job


async def held(hand: Hand) -> list[tuple[str, int]]:
    """Suffixes and claims of what the store believes is here."""
    found = await hand.beat()
    assert found is not None
    return [*found.values()]


async def test_one_job_comes_with_the_wake_up(queue: QueueUnderTest) -> None:
    """It is claimed under the number behind the last; record, token and clock are those of a claim."""
    worker = await queue.worker()
    async with worker.idle(handed=True) as wakes:
        await queue.submit("a")
        wake = await heard(wakes)

    assert wake.handed is not None
    assert (wake.queue, wake.cancel) == (queue.name, None)
    assert (wake.handed.number, wake.handed.now) == (worker.number + 1, queue.now)
    assert wake.handed.job.suffix == "a"
    assert await held(worker) == [("a", worker.number + 1)]
    facts = await queue.store.facts(queue.name)
    assert (facts.ready, facts.running) == (0, 1)
    assert await worker.end(wake.handed.job) == "settled"
    assert (await queue.header("a")).state is JobState.SUCCEEDED


async def test_what_did_not_arrive_the_next_claim_brings(queue: QueueUnderTest) -> None:
    """The wake-up was lost: the worker's claim has the same number, and brings the same job."""
    worker = await queue.worker()
    async with worker.idle(handed=True) as wakes:
        await queue.submit("a")
        wake = await heard(wakes)
    assert wake.handed is not None

    for claim in (await worker.claim(), await worker.again()):
        assert claim is not None
        assert claim.jobs == [wake.handed.job]
    assert wake.handed.number == worker.number


async def test_what_came_with_the_wake_up_can_be_given_back(queue: QueueUnderTest) -> None:
    """By its token, by the number of its claim, or by leaving: it stands at the head of its line again."""
    for give_back in ("release", "return_claim", "leave"):
        worker = await queue.worker()
        async with worker.idle(handed=True) as wakes:
            await queue.submit(give_back)
            wake = await heard(wakes)
        assert wake.handed is not None
        if give_back == "release":
            await worker.release(wake.handed.job)
        elif give_back == "return_claim":
            await queue.store.return_claim(queue.name, worker.name, wake.handed.number)
        else:
            await worker.leave()
        other = await queue.worker()
        assert await other.names() == [give_back]


async def test_only_one_that_nothing_waits_before_is_handed_over(queue: QueueUnderTest) -> None:
    """Several at once, or one behind others, are told of and claimed in their order."""
    worker = await queue.worker()
    async with worker.idle(handed=True) as wakes:
        await queue.submit("a", "b")
        assert await heard(wakes) == Wake(queue.name)
        await queue.submit("c")
        assert await worker.names(1) == ["a"]
        await worker.claim(0, idle=True, handed=True)
        await queue.submit("d")
        assert await heard(wakes) == Wake(queue.name)
    assert await worker.names() == ["b", "c", "d"]


async def test_one_that_is_not_due_is_not_handed_over(queue: QueueUnderTest) -> None:
    """It is scheduled, and whoever waits hears of the new due time."""
    worker = await queue.worker()
    async with worker.idle(handed=True) as wakes:
        await queue.submit("later", delay=500)
        assert await heard(wakes) == Wake(queue.name)
    assert (await queue.store.facts(queue.name)).scheduled == 1


async def test_the_only_new_job_of_several_is_handed_over(queue: QueueUnderTest) -> None:
    """Duplicates beside it are no jobs; neither does its unique key hinder it."""
    worker = await queue.worker()
    await queue.submit("old")
    await worker.end(await worker.take_one(), delay=int(RESULT_TTL * 1000))
    async with worker.idle(handed=True) as wakes:
        await queue.store.submit(queue.name, [new_job("old"), new_job("new", unique="key")])
        wake = await heard(wakes)
    assert wake.handed is not None
    assert wake.handed.job.suffix == "new"
    (duplicate,) = await queue.submit("newer", unique="key")
    assert (duplicate.suffix, duplicate.created) == ("new", False)


async def test_a_submission_sent_twice_hands_over_once(queue: QueueUnderTest) -> None:
    """The second finds the job stored, whoever has it."""
    first, second = await queue.worker(), await queue.worker()
    async with first.idle(handed=True) as wakes, second.idle(handed=True):
        await queue.submit("a")
        await heard(wakes)
        (again,) = await queue.submit("a")
        assert again.created
    assert await held(second) == []


async def test_it_goes_to_whoever_has_been_idle_longest_and_lives(queue: QueueUnderTest) -> None:
    """Who listens no more, and whose lease has run out, are passed over and lose nothing by it."""
    deaf, late, fit = await queue.worker(), await queue.worker(), await queue.worker()
    async with deaf.idle(handed=True):
        await queue.advance(1)
    async with late.idle(handed=True):
        await queue.advance(LEASE - 1)
        await fit.beat()
        await queue.advance(1)
        async with fit.idle(handed=True) as wakes:
            await queue.submit("a")
            wake = await heard(wakes)
    assert wake.handed is not None
    assert wake.handed.job.suffix == "a"
    assert await held(fit) == [("a", fit.number + 1)]


async def test_one_that_takes_no_job_in_hand_is_woken_in_its_turn(queue: QueueUnderTest) -> None:
    """It has been idle longer, so the job waits for its claim though another would take it at once."""
    plain, eager = await queue.worker(), await queue.worker()
    async with plain.idle() as wakes:
        await queue.advance(1)
        async with eager.idle(handed=True):
            await queue.submit("a")
            assert await heard(wakes) == Wake(queue.name)
            assert await plain.names() == ["a"]


async def test_nobody_takes_it(queue: QueueUnderTest) -> None:
    """Without anybody idle it waits in its line."""
    worker = await queue.worker()
    await queue.submit("a")
    assert await worker.names() == ["a"]


async def test_a_job_in_hand_is_reaped_like_any_other(queue: QueueUnderTest) -> None:
    """The worker died before it heard: after its lease the job goes to others, one crash counted."""
    victim = await queue.worker()
    async with victim.idle(handed=True):
        await queue.submit("a")
    await queue.advance(LEASE)
    assert (await queue.reap()).returned == ["a"]
    assert (await queue.header("a")).crashes == 1
