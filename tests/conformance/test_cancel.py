"""Cancelling a job in every state of its life."""

import pytest

from penstock.engine.job import FINAL, JobState
from penstock.engine.store import Cancellation
from support.stores import LEASE, Hand, QueueUnderTest

DONE = Cancellation(JobState.CANCELLED, changed=True)
ASKED = Cancellation(JobState.RUNNING, changed=True)


async def cancel(queue: QueueUnderTest, suffix: str = "a") -> Cancellation | None:
    return await queue.store.cancel(queue.name, suffix)


async def holder(queue: QueueUnderTest) -> Hand:
    """A worker that has just taken the job "a"."""
    await queue.submit("a")
    worker = await queue.worker()
    assert await worker.names() == ["a"]
    return worker


async def test_an_unknown_job_cannot_be_cancelled(queue: QueueUnderTest) -> None:
    """There is no such job: None."""
    assert await cancel(queue) is None


async def test_a_ready_job_ends_at_once(queue: QueueUnderTest) -> None:
    """It is cancelled now, costs no attempt, is counted no more and is never claimed."""
    await queue.submit("a", "b")
    await queue.advance(30)
    assert await cancel(queue) == DONE
    header = await queue.header("a")
    assert (header.state, header.ended, header.attempt) == (JobState.CANCELLED, queue.now, 0)
    assert (await queue.store.facts(queue.name)).ready == 1
    assert await (await queue.worker()).names() == ["b"]
    assert (await queue.store.facts(queue.name)).ready == 0


async def test_a_scheduled_job_ends_at_once(queue: QueueUnderTest) -> None:
    """It is not counted as scheduled any more, nor announced as the next one due."""
    await queue.submit("a", delay=10)
    await queue.submit("b", delay=20)
    assert await cancel(queue) == DONE
    facts = await queue.store.facts(queue.name)
    assert (facts.scheduled, facts.next_due) == (1, queue.now + 20)
    assert await queue.state("a") is JobState.CANCELLED


async def test_a_parked_job_ends_at_once(queue: QueueUnderTest) -> None:
    """Parked jobs are cancelled like scheduled ones; what the last attempt left is kept."""
    worker = await holder(queue)
    (token,) = await worker.beat() or {}
    repeated = await worker.again()
    assert repeated is not None
    await worker.end(repeated.jobs[0], JobState.PARKED, delay=10)
    before = await queue.store.read(queue.name, "a")
    assert await cancel(queue) == DONE
    after = await queue.store.read(queue.name, "a")
    assert before is not None
    assert after is not None
    assert (after.header.token, after.ending) == (token, before.ending)
    await queue.advance(10)
    assert await queue.promote() == 0


async def test_a_promoted_or_released_job_ends_at_once(queue: QueueUnderTest) -> None:
    """Ready is ready, however the job became so."""
    await queue.submit("a", delay=10)
    await queue.advance(10)
    await queue.promote()
    await queue.submit("b")
    worker = await queue.worker()
    await worker.release(*await worker.take())
    assert [await cancel(queue, name) for name in "ab"] == [DONE, DONE]
    assert await worker.names() == []
    assert (await queue.store.facts(queue.name)).ready == 0


async def test_a_suspect_ends_at_once(queue: QueueUnderTest) -> None:
    """Suspects wait too, and are cancelled where they wait."""
    await queue.suspects("a")
    assert await cancel(queue) == DONE
    assert await (await queue.worker()).names() == []
    assert (await queue.store.facts(queue.name)).ready == 0


async def test_a_running_job_is_its_workers_to_end(queue: QueueUnderTest) -> None:
    """The wish is recorded and repeated by every heartbeat until the attempt is settled."""
    worker = await holder(queue)
    before = await queue.store.read(queue.name, "a")
    assert await cancel(queue) == ASKED
    assert await queue.store.read(queue.name, "a") == before
    assert await queue.state("a") is JobState.RUNNING
    assert [await worker.cancels(), await worker.cancels()] == [["a"], ["a"]]
    repeated = await worker.again()
    assert repeated is not None
    assert await worker.end(repeated.jobs[0], JobState.CANCELLED) == "settled"
    assert await worker.cancels() == []
    assert await queue.state("a") is JobState.CANCELLED


async def test_asking_twice_changes_nothing_more(queue: QueueUnderTest) -> None:
    """The second request for a running job finds the first one's wish."""
    worker = await holder(queue)
    assert await cancel(queue) == ASKED
    assert await cancel(queue) == Cancellation(JobState.RUNNING, changed=False)
    assert await worker.cancels() == ["a"]


async def test_only_the_holder_is_asked(queue: QueueUnderTest) -> None:
    """Another worker's heartbeat says nothing of it."""
    await holder(queue)
    bystander = await queue.worker()
    await cancel(queue)
    assert await bystander.cancels() == []


async def test_a_worker_may_settle_otherwise(queue: QueueUnderTest) -> None:
    """A wish is no order: a handler that was faster has succeeded, and the wish is gone with it."""
    worker = await holder(queue)
    await cancel(queue)
    repeated = await worker.again()
    assert repeated is not None
    await worker.end(repeated.jobs[0], JobState.READY)
    assert await worker.names() == ["a"]
    assert await worker.cancels() == []


async def test_the_wish_outlives_a_release(queue: QueueUnderTest) -> None:
    """Giving back settles nothing: the next worker that runs the job hears of it."""
    worker = await holder(queue)
    await cancel(queue)
    await worker.leave()
    heir = await queue.worker()
    assert await heir.names() == ["a"]
    assert await heir.cancels() == ["a"]


async def test_the_wish_outlives_a_crash(queue: QueueUnderTest) -> None:
    """It can be spoken while the job is an orphan, and reaches the next holder."""
    await holder(queue)
    await queue.advance(LEASE)
    await queue.reap(limit=0)
    assert await cancel(queue) == ASKED
    await queue.reap()
    heir = await queue.worker()
    assert await heir.names() == ["a"]
    assert await heir.cancels() == ["a"]


@pytest.mark.parametrize("state", sorted(FINAL))
async def test_a_final_job_stays_as_it_is(queue: QueueUnderTest, state: JobState) -> None:
    """Cancelling what has ended changes nothing and says how it ended."""
    worker = await holder(queue)
    repeated = await worker.again()
    assert repeated is not None
    await worker.end(repeated.jobs[0], state)
    before = await queue.store.read(queue.name, "a")
    assert await cancel(queue) == Cancellation(state, changed=False)
    assert await queue.store.read(queue.name, "a") == before
