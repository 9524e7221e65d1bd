"""In which order ready jobs are claimed: priority, tenants in turn, first in first out; suspects apart."""

from collections import Counter

import pytest

from penstock.engine.record import parse_record
from support.stores import QueueUnderTest, suffixes


async def test_first_in_first_out(queue: QueueUnderTest) -> None:
    """Within one tenant and priority jobs are claimed in the order of submission, across claims too."""
    await queue.submit("a", "b", "c")
    await queue.submit("d")
    worker = await queue.worker()
    assert await worker.names(2) == ["a", "b"]
    assert await worker.names(3) == ["c", "d"]


async def test_higher_priority_is_strictly_first(queue: QueueUnderTest) -> None:
    """No job is claimed before one of higher priority, whosever it is."""
    await queue.submit("low", priority=0)
    await queue.submit("mid1", "mid2", priority=5)
    await queue.submit("high", priority=9, tenant="acme")
    worker = await queue.worker()
    assert await worker.names(2) == ["high", "mid1"]
    assert await worker.names(2) == ["mid2", "low"]


@pytest.mark.parametrize(("tenants", "count"), [(1, 7), (2, 2), (3, 9), (3, 11), (5, 12), (12, 40)])
async def test_every_tenant_gets_its_share_of_one_claim(
    queue: QueueUnderTest, tenants: int, count: int
) -> None:
    """With k tenants that each have plenty, a claim of n gives each at least n // k, and n in all."""
    for tenant in range(tenants):
        await queue.submit(*(f"t{tenant}-{n:02}" for n in range(50)), tenant=f"t{tenant}")
    names = await (await queue.worker()).names(count)
    shares = Counter(name.partition("-")[0] for name in names)
    assert len(names) == count
    assert min(shares[f"t{tenant}"] for tenant in range(tenants)) >= count // tenants
    for tenant in range(tenants):
        own = [name for name in names if name.startswith(f"t{tenant}-")]
        assert own == sorted(own)


async def test_single_claims_visit_the_tenants_in_turn(queue: QueueUnderTest) -> None:
    """Claims of one job serve each tenant once before any is served twice, however long one's line is."""
    await queue.submit(*(f"big{n}" for n in range(20)), tenant="big")
    await queue.submit("small1", "small2", tenant="small")
    await queue.submit("tiny1", tenant="tiny")
    worker = await queue.worker()
    order = [(await worker.names(1))[0] for _ in range(6)]
    assert {name.rstrip("0123456789") for name in order[:3]} == {"big", "small", "tiny"}
    assert {name.rstrip("0123456789") for name in order[3:5]} == {"big", "small"}
    assert order[5] == "big2"


async def test_a_tenant_that_comes_back_enters_behind_the_others(queue: QueueUnderTest) -> None:
    """Emptying a line and filling it again gains no turn."""
    worker = await queue.worker()
    await queue.submit("x1", tenant="x")
    assert await worker.names(1) == ["x1"]
    assert await worker.names(1) == []
    await queue.submit("y1", tenant="y")
    await queue.submit("x2", tenant="x")
    assert await worker.names(1) == ["y1"]


async def test_a_claim_goes_round_again_until_it_is_full(queue: QueueUnderTest) -> None:
    """What one tenant does not use of its share is given to the others, then to lower priorities."""
    await queue.submit("s1", tenant="small", priority=1)
    await queue.submit(*(f"b{n}" for n in range(6)), tenant="big", priority=1)
    await queue.submit("l1", "l2", "l3", tenant="big", priority=0)
    names = await (await queue.worker()).names(9)
    assert len(names) == 9
    assert set(names) == {"s1", *(f"b{n}" for n in range(6)), "l1", "l2"}
    assert names[-2:] == ["l1", "l2"]


async def test_a_claim_asks_for_no_more_than_it_wants(queue: QueueUnderTest) -> None:
    """With more tenants than wanted jobs exactly as many are taken; nothing is lost on the way."""
    for tenant in range(10):
        await queue.submit(f"j{tenant}", tenant=f"t{tenant}")
    worker = await queue.worker()
    taken = [*await worker.names(3), *await worker.names(3), *await worker.names(10)]
    assert len(taken) == 10
    assert set(taken) == {f"j{n}" for n in range(10)}


async def test_cancelled_jobs_are_passed_over_without_costing_the_claim_its_size(
    queue: QueueUnderTest,
) -> None:
    """Entries of cancelled jobs fill no place of a claim."""
    names = [f"j{n:02}" for n in range(30)]
    await queue.submit(*names)
    for name in names[:20]:
        await queue.store.cancel(queue.name, name)
    claim = await (await queue.worker()).claim(10)
    assert claim is not None
    assert suffixes(claim.jobs) == names[20:]
    assert not claim.more


async def test_tokens_grow_in_the_order_of_the_answer(queue: QueueUnderTest) -> None:
    """Tokens are unique in the queue and grow over all claims of all workers."""
    await queue.submit("a", "b", "c", "d")
    first, second = await queue.worker(), await queue.worker()
    tokens = [one.token for one in [*await first.take(2), *await second.take(1), *await first.take(1)]]
    assert tokens == sorted(set(tokens))


async def test_the_claimed_record_is_the_stored_one(queue: QueueUnderTest) -> None:
    """Claiming rewrites nothing: the worker gets what `read` gives."""
    await queue.submit("a", tenant="acme", priority=4)
    claimed = await (await queue.worker()).take_one()
    record = await queue.store.read(queue.name, "a")
    assert record is not None
    assert claimed.raw == record.encode()
    assert parse_record(claimed.raw) == record


async def test_more_tells_whether_ready_jobs_were_left(queue: QueueUnderTest) -> None:
    """`more` is about ready jobs, `next_due` about scheduled ones."""
    await queue.submit("a", "b")
    await queue.submit("later", delay=700)
    worker = await queue.worker()
    first, second = await worker.claim(1), await worker.claim(1)
    assert first is not None
    assert second is not None
    assert (first.more, second.more) == (True, False)
    assert (first.now, first.next_due) == (queue.now, queue.now + 700)


async def test_a_claim_of_nothing_takes_nothing(queue: QueueUnderTest) -> None:
    """A count of 0 leaves everything where it is, suspects too."""
    await queue.suspects("s")
    await queue.submit("a")
    worker = await queue.worker()
    assert await worker.take(0) == []
    assert (await queue.store.facts(queue.name)).ready == 2


async def test_at_most_one_suspect_is_claimed_and_first(queue: QueueUnderTest) -> None:
    """Jobs that a dead worker held come one at a time, so that the next crash has one culprit."""
    await queue.suspects("s1", "s2", "s3")
    await queue.submit("a", "b", priority=9)
    worker = await queue.worker()
    assert await worker.names(10) == ["s1", "a", "b"]
    assert await worker.names(10) == ["s2"]


async def test_no_suspect_is_claimed_by_one_that_does_not_want_any(queue: QueueUnderTest) -> None:
    """Without `suspect` they stay, and still count as ready jobs that were left."""
    await queue.suspects("s")
    await queue.submit("a")
    worker = await queue.worker()
    assert await worker.names(suspect=False) == ["a"]
    claim = await worker.claim(suspect=False)
    assert claim is not None
    assert (claim.jobs, claim.more) == ([], True)


async def test_a_cancelled_suspect_is_passed_over(queue: QueueUnderTest) -> None:
    """The claim goes on to the next suspect that still stands."""
    await queue.suspects("s1", "s2")
    await queue.store.cancel(queue.name, "s1")
    assert await (await queue.worker()).names(1) == ["s2"]
