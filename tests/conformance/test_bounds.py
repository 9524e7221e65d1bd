"""A queue that is as long as it may be takes nothing more, and says so before anything is stored."""

import pytest

from penstock.engine.errors import QueueFull
from penstock.engine.job import JobState
from penstock.engine.store import Submitted, Terms
from support.stores import QueueUnderTest, new_job

THREE = Terms(most=3)


async def submit(queue: QueueUnderTest, *suffixes: str, **fields: object) -> list[Submitted]:
    jobs = [new_job(suffix, **fields) for suffix in suffixes]
    return await queue.store.submit(queue.name, jobs, THREE)


@pytest.mark.parametrize("surplus", [("d",), ("d", "e")], ids=["one", "several"])
async def test_what_would_be_too_much_is_refused_whole(
    queue: QueueUnderTest, surplus: tuple[str, ...]
) -> None:
    """Nothing of the refused submission is stored, and the queue is as it was."""
    await submit(queue, "a", "b", "c")
    before = await queue.store.facts(queue.name)
    with pytest.raises(QueueFull, match=r"has 3 jobs waiting and takes at most 3"):
        await submit(queue, *surplus)
    assert [await queue.store.read(queue.name, suffix) for suffix in surplus] == [None] * len(surplus)
    assert await queue.store.facts(queue.name) == before
    assert await (await queue.worker()).names() == ["a", "b", "c"]


async def test_a_submission_that_does_not_fit_is_not_stored_in_part(queue: QueueUnderTest) -> None:
    """Where one of two would have had a place, neither takes it."""
    await submit(queue, "a", "b")
    with pytest.raises(QueueFull):
        await submit(queue, "c", "d")
    assert (await queue.store.facts(queue.name)).ready == 2
    assert [answer.created for answer in await submit(queue, "c")] == [True]


async def test_one_that_was_stored_is_known_again_in_a_full_queue(queue: QueueUnderTest) -> None:
    """Sending again after a lost reply needs no room: alone, among others, and by its unique key."""
    await submit(queue, "a", "b")
    await submit(queue, "c", unique="k")
    known = Submitted("a", True, JobState.READY)
    assert await submit(queue, "a") == [known]
    assert await submit(queue, "a", "b") == [known, Submitted("b", True, JobState.READY)]
    assert await submit(queue, "other", unique="k") == [Submitted("c", False, JobState.READY)]
    assert (await queue.store.facts(queue.name)).ready == 3


async def test_a_refused_job_takes_no_unique_key(queue: QueueUnderTest) -> None:
    """The key is free for whoever comes when there is room."""
    await submit(queue, "a", "b", "c")
    with pytest.raises(QueueFull):
        await submit(queue, "d", unique="k")
    await (await queue.worker()).take(1)
    assert await submit(queue, "e", unique="k") == [Submitted("e", True, JobState.READY)]


async def test_scheduled_jobs_have_a_limit_of_their_own(queue: QueueUnderTest) -> None:
    """A queue full of work for tomorrow takes work for today, and the other way round."""
    await submit(queue, "x", "y", "z", delay=1000)
    with pytest.raises(QueueFull):
        await submit(queue, "late", delay=1000)
    with pytest.raises(QueueFull):
        await submit(queue, "late", "later", delay=1000)
    assert await queue.store.read(queue.name, "late") is None
    assert len(await submit(queue, "a", "b", "c")) == 3


async def test_a_claimed_job_makes_room(queue: QueueUnderTest) -> None:
    """The limit is on what waits, not on what runs."""
    await submit(queue, "a", "b", "c")
    worker = await queue.worker()
    await worker.take(2)
    assert len(await submit(queue, "d", "e")) == 2
    with pytest.raises(QueueFull):
        await submit(queue, "f")


async def test_without_a_limit_there_is_none(queue: QueueUnderTest) -> None:
    """The default of the store; clients set one."""
    await queue.submit(*map(str, range(50)))
    assert (await queue.store.facts(queue.name)).ready == 50
