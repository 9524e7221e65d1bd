"""Batches beyond what one Lua call may unpack, and batches that must not be carried out by halves."""

from typing import Any

import pytest

from penstock.engine.job import JobState
from penstock.engine.limits import RESULT_TTL
from penstock.engine.redis_store import RedisStore
from support.stores import LEASE, Hand, QueueUnderTest, settlement, suffixes

MANY = 9_000
"""More values than Lua unpacks at once, which are 8,000."""
NAMES = [f"{number:05d}" for number in range(MANY)]
RETENTION = int(RESULT_TTL * 1000)


@pytest.fixture
async def holder(queue: QueueUnderTest) -> Hand:
    """A worker that holds `MANY` jobs."""
    await queue.submit(*NAMES)
    hand = await queue.worker()
    taken = [claimed.suffix for _ in range(0, MANY, 500) for claimed in await hand.take(500)]
    assert taken == NAMES
    return hand


async def assert_all_are_ready(queue: QueueUnderTest, names: list[str]) -> None:
    """Everything waits, is held by nobody, and comes in this order."""
    facts = await queue.store.facts(queue.name)
    assert (facts.ready, facts.running) == (len(names), 0)
    heir = await queue.worker()
    assert [name for _ in range(0, len(names), 500) for name in await heir.names(500)] == names


async def test_a_heartbeat_lists_however_many_jobs_are_held(queue: QueueUnderTest, holder: Hand) -> None:
    """All tokens, and the wishes to cancel the first and the last of them."""
    for name in (NAMES[0], NAMES[-1]):
        await queue.store.cancel(queue.name, name)
    heartbeat = await queue.store.heartbeat(queue.name, holder.name, LEASE)
    assert heartbeat is not None
    assert [suffix for suffix, _ in heartbeat.held.values()] == NAMES
    assert heartbeat.cancels == [NAMES[0], NAMES[-1]]


async def test_leaving_gives_back_however_many_jobs_are_held(queue: QueueUnderTest, holder: Hand) -> None:
    """Nothing stays behind with a worker that is gone, wish to cancel or not."""
    await queue.store.cancel(queue.name, NAMES[0])
    assert await holder.leave() == NAMES
    await assert_all_are_ready(queue, NAMES)


async def test_releasing_takes_however_many_jobs_are_named(queue: QueueUnderTest, holder: Hand) -> None:
    """One call gives back everything a lost answer may have left with a worker."""
    held = await holder.beat()
    assert held is not None
    pairs = [(suffix, token) for token, (suffix, _) in held.items()]
    released = await queue.store.release(queue.name, holder.name, pairs)
    assert released.suffixes == NAMES
    await assert_all_are_ready(queue, NAMES)


async def test_reaping_takes_back_however_many_jobs_were_held(queue: QueueUnderTest, holder: Hand) -> None:
    """Slice by slice, each job once, none left with the dead."""
    await queue.advance(LEASE)
    back, remaining = list[str](), True
    while remaining:
        reaping = await queue.reap()
        back += reaping.returned
        remaining = reaping.remaining
    facts = await queue.store.facts(queue.name)
    assert sorted(back) == NAMES
    assert (facts.ready, facts.running, facts.workers) == (MANY, 0, 0)


@pytest.mark.parametrize("state", [JobState.SUCCEEDED, JobState.DEAD, JobState.CANCELLED, JobState.EXPIRED])
async def test_an_ending_that_is_kept_for_no_time_does_not_split_its_batch(
    queue: QueueUnderTest, state: JobState
) -> None:
    """Whatever stands before and behind it is carried out, once, and all leave the running ones together."""
    await queue.submit("again", "kept", "gone", "later")
    worker, other = await queue.worker(), await queue.worker()
    again, kept, gone, later = await worker.take()
    verdicts = await worker.settle(
        settlement(again, JobState.READY, delay=0),
        settlement(kept, JobState.SUCCEEDED),
        settlement(gone, state, delay=0),
        settlement(later, JobState.SCHEDULED),
    )
    assert verdicts == ["settled"] * 4
    assert await worker.beat() == {}
    assert await other.names() == ["again"]
    assert await other.take() == []
    facts = await queue.store.facts(queue.name)
    assert (facts.ready, facts.running, facts.scheduled) == (0, 1, 1)
    assert await queue.state("kept") is JobState.SUCCEEDED


async def _outlive_records(queue: QueueUnderTest) -> None:
    """Let pass what an ended job's record is kept for, for a server too, which expires on its own clock."""
    await queue.advance(RETENTION)
    if isinstance(queue.store, RedisStore):
        root = f"penstock:{{{queue.name}}}:job:"
        keys: Any = await queue.store.redis.execute("KEYS", root.replace("{", "[{]") + "*")
        for key in keys:
            lives: Any = await queue.store.redis.execute("PTTL", key)
            if 0 <= lives <= RETENTION:
                await queue.store.redis.execute("DEL", key)


@pytest.mark.parametrize("priority", [0, 9])
async def test_a_cancelled_job_that_is_submitted_again_is_held_once(
    queue: QueueUnderTest, priority: int
) -> None:
    """The place in line that a cancelled job has left does not become a second one of the same id."""
    await queue.submit("a", "b", priority=priority)
    for _ in range(3):
        await queue.store.cancel(queue.name, "a")
        await _outlive_records(queue)
        await queue.submit("a", priority=priority)
        assert (await queue.store.facts(queue.name)).ready >= 0
    first, second = await queue.worker(), await queue.worker()
    taken = [*await first.names(1), *await second.names(1), *await first.names(), *await second.names()]
    facts = await queue.store.facts(queue.name)
    assert sorted(taken) in (["a", "b"], ["b"])
    assert (facts.ready, facts.running) == (0, len(taken))


async def test_a_cancelled_jobs_id_is_free_once_its_place_was_met_and_its_time_is_over(
    queue: QueueUnderTest,
) -> None:
    """Submitted then, it is stored, waits and is claimed like any other, once."""
    await queue.submit("a")
    await queue.store.cancel(queue.name, "a")
    worker = await queue.worker()
    assert await worker.take() == []
    await _outlive_records(queue)
    await queue.submit("a", body=b"another")
    first, second = await queue.worker(), await queue.worker()
    assert suffixes(await first.take(1)) == ["a"]
    assert await second.take() == []
    assert await queue.promote() == 0
    facts = await queue.store.facts(queue.name)
    assert (facts.ready, facts.running) == (0, 1)
