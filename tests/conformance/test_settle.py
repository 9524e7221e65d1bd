"""Settling: what becomes of the record, where the job goes, and whom the fence keeps out."""

import pytest

from penstock.engine.job import FINAL, JobState
from support.stores import KEEP, QueueUnderTest, ending, new_job, settlement

FINALS = sorted(FINAL)


@pytest.mark.parametrize("state", FINALS)
async def test_a_final_state_rewrites_the_record(queue: QueueUnderTest, state: JobState) -> None:
    """State, attempt, token and end are written; due and body stay; the ending stands behind the body."""
    await queue.submit("a", priority=3, tenant="acme")
    before = await queue.header("a")
    worker = await queue.worker()
    claimed = await worker.take_one()
    await queue.advance(40)
    assert await worker.end(claimed, state, attempt=2, ending=ending("done")) == "settled"
    record = await queue.store.read(queue.name, "a")
    assert record is not None
    header = record.header
    assert (header.state, header.attempt, header.token) == (state, 2, claimed.token)
    assert (header.ended, header.due, header.submitted) == (queue.now, before.due, before.submitted)
    assert (header.priority, header.tenant, header.crashes) == (3, "acme", 0)
    assert (record.body, record.ending) == (new_job("a").body, ending("done"))


async def test_a_retry_waits_for_its_delay(queue: QueueUnderTest) -> None:
    """A job settled as scheduled is due after the delay, and its ending is kept meanwhile."""
    await queue.submit("a")
    worker = await queue.worker()
    claimed = await worker.take_one()
    await worker.end(claimed, JobState.SCHEDULED, delay=250, ending=ending("failed"))
    record = await queue.store.read(queue.name, "a")
    assert record is not None
    header = record.header
    assert (header.state, header.due, header.ended) == (JobState.SCHEDULED, queue.now + 250, 0)
    assert (header.attempt, header.token, record.ending) == (1, claimed.token, ending("failed"))
    assert await worker.names() == []
    await queue.advance(250)
    assert await queue.promote() == 1
    assert await worker.names() == ["a"]


async def test_a_retry_at_once_goes_to_the_tail(queue: QueueUnderTest) -> None:
    """A job settled as ready is due now and waits behind those that were there."""
    await queue.submit("a", "b")
    worker = await queue.worker()
    claimed = await worker.take_one()
    await queue.advance(10)
    await worker.end(claimed, JobState.READY)
    header = await queue.header("a")
    assert (header.state, header.due, header.attempt) == (JobState.READY, queue.now, 1)
    assert await worker.names() == ["b", "a"]


async def test_a_parked_job_is_offered_again_after_the_delay(queue: QueueUnderTest) -> None:
    """It keeps its due time, because it has been due all along; no attempt is consumed."""
    await queue.submit("a")
    due = (await queue.header("a")).due
    worker = await queue.worker()
    await queue.advance(5)
    await worker.end(await worker.take_one(), JobState.PARKED, delay=250, attempt=0)
    header = await queue.header("a")
    assert (header.state, header.due, header.attempt) == (JobState.PARKED, due, 0)
    assert (await queue.store.facts(queue.name)).next_due == queue.now + 250
    await queue.advance(249)
    assert await queue.promote() == 0
    await queue.advance(1)
    assert await queue.promote() == 1
    assert await worker.names() == ["a"]


async def test_an_ending_replaces_the_one_before(queue: QueueUnderTest) -> None:
    """Only the last attempt's ending is kept, and the body survives any number of them."""
    await queue.submit("a")
    worker = await queue.worker()
    for text in ("a long first ending", "short", ""):
        await worker.end(await worker.take_one(), JobState.READY, ending=ending(text))
        record = await queue.store.read(queue.name, "a")
        assert record is not None
        assert (record.body, record.ending) == (new_job("a").body, ending(text))


async def test_a_suspect_that_retries_stays_a_suspect(queue: QueueUnderTest) -> None:
    """It goes to the tail of the suspects, not into its lane."""
    await queue.suspects("s1", "s2")
    worker = await queue.worker()
    await worker.end(await worker.take_one(), JobState.READY)
    assert await worker.names(suspect=False) == []
    assert await worker.names(1) == ["s2"]
    assert await worker.names(1) == ["s1"]


async def test_one_verdict_each_in_order(queue: QueueUnderTest) -> None:
    """Settlements of one batch stand and fall one by one."""
    await queue.submit("a", "b", "c")
    worker = await queue.worker()
    a, b, c = await worker.take()
    await worker.release(b)
    verdicts = await worker.settle(settlement(a), settlement(b), settlement(c, JobState.SCHEDULED))
    assert verdicts == ["settled", "refused", "settled"]
    states = [await queue.state(name) for name in "abc"]
    assert states == [JobState.SUCCEEDED, JobState.READY, JobState.SCHEDULED]


async def test_no_settlements_have_no_verdicts(queue: QueueUnderTest) -> None:
    """An empty batch has an empty answer."""
    assert await (await queue.worker()).settle() == []


async def test_settling_many_at_once(queue: QueueUnderTest) -> None:
    """A batch larger than one slice is settled to the last."""
    names = [f"j{n}" for n in range(2_100)]
    await queue.submit(*names)
    worker = await queue.worker()
    jobs = [one for _ in range(3) for one in await worker.take(700)]
    assert await worker.settle(*map(settlement, jobs)) == ["settled"] * 2_100
    facts = await queue.store.facts(queue.name)
    assert (facts.ready, facts.running) == (0, 0)


@pytest.mark.parametrize("state", [JobState.READY, JobState.SCHEDULED, JobState.SUCCEEDED])
async def test_a_settlement_twice_in_one_batch_counts_once(queue: QueueUnderTest, state: JobState) -> None:
    """The second recognises the first."""
    await queue.submit("a")
    worker = await queue.worker()
    one = settlement(await worker.take_one(), state)
    assert await worker.settle(one, one) == ["settled", "settled"]
    facts = await queue.store.facts(queue.name)
    assert facts.ready + facts.scheduled == (0 if state.final else 1)


async def test_a_settlement_recognises_its_earlier_success(queue: QueueUnderTest) -> None:
    """Sent again after a lost answer it stands, also when the job has gone on since."""
    await queue.submit("a")
    worker, next_one = await queue.worker(), await queue.worker()
    first = await worker.take_one()
    await worker.end(first, JobState.READY)
    second = await next_one.take_one()
    before = await queue.store.read(queue.name, "a")
    assert await worker.end(first, JobState.READY) == "settled"
    assert await queue.store.read(queue.name, "a") == before
    assert await next_one.end(second, attempt=2) == "settled"
    assert await worker.end(first, JobState.READY) == "refused"


@pytest.mark.parametrize("state", [*FINALS, JobState.SCHEDULED, JobState.READY, JobState.PARKED])
async def test_whoever_does_not_hold_the_token_changes_nothing(
    queue: QueueUnderTest, state: JobState
) -> None:
    """A wrong token, another worker's name and an unknown job are refused."""
    await queue.submit("a", "b")
    holder, stranger = await queue.worker(), await queue.worker()
    a, b = await holder.take()
    before = await queue.store.read(queue.name, "a")
    wrong = settlement(a, state)
    assert await stranger.settle(wrong) == ["refused"]
    swapped = settlement(b, state)
    pair = [(a.suffix, b.token), ("nobody", a.token)]
    for suffix, token in pair:
        one = type(swapped)(suffix, token, state, 1, 0, b"")
        assert await holder.settle(one) == ["refused"]
    assert await queue.store.read(queue.name, "a") == before
    assert await holder.beat() == {a.token: ("a", 1), b.token: ("b", 1)}


async def test_an_expired_worker_still_settles_until_it_is_revoked(queue: QueueUnderTest) -> None:
    """Jobs stay with their tokens until the reaper takes them: finished work is not thrown away."""
    await queue.submit("a")
    worker = await queue.worker()
    claimed = await worker.take_one()
    await queue.advance(KEEP)
    assert await worker.end(claimed) == "settled"


async def test_a_late_settlement_is_refused_while_the_new_owners_stands(queue: QueueUnderTest) -> None:
    """Fencing: a revoked worker changes nothing before, while or after somebody else runs the job."""
    await queue.submit("a")
    old = await queue.worker()
    late = await old.take_one()
    await queue.crash(old)
    assert await old.end(late, ending=ending("late")) == "refused"
    new = await queue.worker()
    claimed = await new.take_one()
    assert await old.end(late, ending=ending("late")) == "refused"
    assert await new.end(claimed, ending=ending("new")) == "settled"
    assert await old.end(late, ending=ending("late")) == "refused"
    record = await queue.store.read(queue.name, "a")
    assert record is not None
    assert record.ending == ending("new")


async def test_an_orphan_that_was_not_moved_yet_is_out_of_reach(queue: QueueUnderTest) -> None:
    """Revoking comes first: from then on the old worker settles, releases and returns nothing."""
    await queue.submit("a", "b")
    worker = await queue.worker()
    jobs = await worker.take()
    await queue.advance(KEEP)
    assert (await queue.reap(limit=1)).remaining
    assert await worker.settle(*map(settlement, jobs)) == ["refused", "refused"]
    assert await worker.release(*jobs) == []
    assert (await queue.store.return_claim(queue.name, worker.name, 1)).suffixes == []
    assert await worker.leave() == []
    assert (await queue.store.facts(queue.name)).running == 1
