"""Unique keys: one living job for each (tenant, key)."""

import pytest

from penstock.engine.job import JobState
from penstock.engine.store import Submitted
from support.stores import QueueUnderTest


async def test_a_second_job_with_the_key_is_a_duplicate_of_the_first(queue: QueueUnderTest) -> None:
    """It is answered with the first one's suffix and state, and not stored."""
    await queue.submit("a", unique="k", delay=100)
    assert await queue.submit("b", unique="k") == [Submitted("a", False, JobState.SCHEDULED)]
    assert await queue.store.look(queue.name, "b") is None
    assert (await queue.header("a")).flags == "u"


async def test_the_rule_holds_within_one_submission(queue: QueueUnderTest) -> None:
    """Jobs of one slice see each other's keys."""
    answers = await queue.submit("a", "b", unique="k")
    assert answers == [Submitted("a", True, JobState.READY), Submitted("a", False, JobState.READY)]


async def test_keys_belong_to_tenants(queue: QueueUnderTest) -> None:
    """The same key of another tenant, or in another queue, is another key."""
    other = QueueUnderTest(queue.harness)
    answers = [
        *await queue.submit("a", unique="k", tenant="acme"),
        *await queue.submit("b", unique="k", tenant="bolt"),
        *await queue.submit("c", unique="k"),
        *await other.submit("d", unique="k"),
    ]
    assert all(answer.created for answer in answers)


async def test_a_running_holder_is_reported_as_its_header_says(queue: QueueUnderTest) -> None:
    """Claiming rewrites no header: the duplicate of a running job hears `ready`."""
    await queue.submit("a", unique="k")
    await (await queue.worker()).take_one()
    assert await queue.submit("b", unique="k") == [Submitted("a", False, JobState.READY)]


async def test_the_holder_sent_again_is_no_duplicate_of_itself(queue: QueueUnderTest) -> None:
    """A repeated submission of the holder counts as created."""
    first = await queue.submit("a", unique="k")
    assert await queue.submit("a", unique="k") == first


@pytest.mark.parametrize("state", [JobState.SUCCEEDED, JobState.DEAD, JobState.CANCELLED, JobState.EXPIRED])
async def test_every_ending_frees_the_key(queue: QueueUnderTest, state: JobState) -> None:
    """Once the holder has ended, the next job takes the key."""
    await queue.submit("a", unique="k")
    worker = await queue.worker()
    await worker.end(await worker.take_one(), state)
    assert (await queue.submit("b", unique="k"))[0].created


@pytest.mark.parametrize("state", [JobState.SCHEDULED, JobState.READY, JobState.PARKED])
async def test_an_attempt_that_is_not_the_last_keeps_the_key(queue: QueueUnderTest, state: JobState) -> None:
    """A job that waits for its next attempt has not ended."""
    await queue.submit("a", unique="k")
    worker = await queue.worker()
    await worker.end(await worker.take_one(), state)
    assert await queue.submit("b", unique="k") == [Submitted("a", False, state)]


async def test_cancelling_a_waiting_holder_frees_the_key(queue: QueueUnderTest) -> None:
    """The key does not wait for the cancelled entry to be met."""
    await queue.submit("a", unique="k")
    await queue.store.cancel(queue.name, "a")
    assert (await queue.submit("b", unique="k"))[0].created


async def test_a_holder_that_is_buried_by_the_reaper_frees_the_key(queue: QueueUnderTest) -> None:
    """Dead of crashes is an ending like the others."""
    await queue.submit("a", unique="k")
    for _ in range(3):
        victim = await queue.worker()
        assert await victim.names() == ["a"]
        await queue.crash(victim)
    assert (await queue.submit("b", unique="k"))[0].created
