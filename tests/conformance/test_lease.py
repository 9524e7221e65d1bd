"""Leases: who may claim, what a heartbeat says, who may come back."""

import pytest

from penstock.engine.errors import LeaseLost
from penstock.engine.job import JobState
from support.stores import LEASE, QueueUnderTest


async def test_nobody_claims_without_a_lease(queue: QueueUnderTest) -> None:
    """A worker that never joined gets None and takes nothing."""
    await queue.submit("a")
    answer = await queue.store.claim(queue.name, "stranger", 1, 1, suspect=True, idle=True)
    assert answer is None
    assert await queue.store.heartbeat(queue.name, "stranger", LEASE) is None
    assert (await queue.store.facts(queue.name)).ready == 1


async def test_a_lease_lasts_as_long_as_it_says(queue: QueueUnderTest) -> None:
    """Up to its last millisecond a worker may claim, at its expiry not any more."""
    worker = await queue.worker()
    await queue.advance(LEASE - 1)
    assert await worker.claim() is not None
    await queue.advance(1)
    assert await worker.claim() is None


async def test_a_heartbeat_prolongs_the_lease(queue: QueueUnderTest) -> None:
    """From the heartbeat on it lasts for its length again."""
    worker = await queue.worker()
    await queue.advance(LEASE - 1)
    await worker.beat()
    await queue.advance(LEASE - 1)
    assert await worker.claim() is not None
    assert (await queue.reap()).revoked == []


async def test_a_heartbeat_revives_a_lease_that_ran_out_unnoticed(queue: QueueUnderTest) -> None:
    """Until somebody revokes it nobody has taken anything over."""
    await queue.submit("a")
    worker = await queue.worker()
    claimed = await worker.take_one()
    await queue.advance(LEASE + 1)
    assert await worker.beat() == {claimed.token: ("a", 1)}
    assert (await queue.reap()).revoked == []
    assert await worker.claim() is not None


async def test_a_heartbeat_lists_what_is_held(queue: QueueUnderTest) -> None:
    """Token, suffix and claim number of each held job; nothing of others."""
    await queue.submit("a", "b", "c")
    worker, other = await queue.worker(), await queue.worker()
    (a,) = await worker.take(1)
    (b,) = await worker.take(1)
    await other.take(1)
    heartbeat = await queue.store.heartbeat(queue.name, worker.name, LEASE)
    assert heartbeat is not None
    assert heartbeat.held == {a.token: ("a", 1), b.token: ("b", 2)}
    assert (heartbeat.now, heartbeat.cancels) == (queue.now, [])
    await worker.end(a)
    await worker.release(b)
    assert await worker.beat() == {}


async def test_joining_again_prolongs(queue: QueueUnderTest) -> None:
    """A join on a live lease keeps what is held and the claim number."""
    await queue.submit("a")
    worker = await queue.worker()
    claimed = await worker.take_one()
    await queue.advance(LEASE - 1)
    await queue.store.join(queue.name, worker.name, LEASE)
    await queue.advance(LEASE - 1)
    repeated = await worker.again()
    assert repeated is not None
    assert repeated.jobs == [claimed]


async def test_a_revoked_worker_is_out(queue: QueueUnderTest) -> None:
    """It hears None from heartbeat and claim, and holds nothing."""
    await queue.submit("a")
    worker = await queue.worker()
    await worker.take()
    await queue.crash(worker)
    assert await worker.beat() is None
    assert await worker.claim() is None
    assert await worker.leave() == []


async def test_a_revoked_worker_does_not_come_back_while_its_jobs_are_moved(queue: QueueUnderTest) -> None:
    """Joining under its id would give it back jobs that are being given to others."""
    await queue.submit("a", "b")
    worker = await queue.worker()
    await worker.take()
    await queue.advance(LEASE)
    await queue.reap(limit=1)
    with pytest.raises(LeaseLost):
        await queue.store.join(queue.name, worker.name, LEASE)
    assert await worker.beat() is None


async def test_look_shows_who_runs_a_job_and_since_when(queue: QueueUnderTest) -> None:
    """Running is read from the running table: the header still says ready."""
    await queue.submit("a")
    worker = await queue.worker()
    await queue.advance(2_000)
    await worker.take()
    job = await queue.store.look(queue.name, "a")
    assert job is not None
    assert (job.state, job.worker, job.started_at) == (JobState.RUNNING, worker.name, queue.now / 1000)
    assert (await queue.header("a")).state is JobState.READY


async def test_an_orphan_is_still_shown_as_running(queue: QueueUnderTest) -> None:
    """Until the reaper has moved it, a job of a revoked worker stands in the running table."""
    await queue.submit("a", "b")
    worker = await queue.worker()
    await worker.take()
    await queue.advance(LEASE)
    (moved,) = (await queue.reap(limit=1)).returned
    (orphan,) = {"a", "b"} - {moved}
    assert await queue.state(orphan) is JobState.RUNNING
    assert await queue.state(moved) is JobState.READY
