"""Claim numbers, and giving jobs back: to the head, in order, no attempt consumed."""

from penstock.engine.job import JobState
from support.stores import QueueUnderTest, suffixes


async def test_the_same_number_gives_the_same_jobs_under_the_same_tokens(queue: QueueUnderTest) -> None:
    """A claim whose answer was lost is sent again and takes nothing new."""
    await queue.submit("a", "b", "c")
    worker = await queue.worker()
    first = await worker.claim(2)
    assert await worker.again(2) == first
    assert (await queue.store.facts(queue.name)).ready == 1


async def test_a_number_once_empty_stays_empty(queue: QueueUnderTest) -> None:
    """Work that came after an empty answer needs a new number."""
    worker = await queue.worker()
    assert await worker.names() == []
    await queue.submit("a")
    repeated = await worker.again()
    assert repeated is not None
    assert repeated.jobs == []
    assert await worker.names() == ["a"]


async def test_a_repeated_claim_gives_what_is_still_held(queue: QueueUnderTest) -> None:
    """Jobs that were settled or released since are not part of it."""
    await queue.submit("a", "b", "c")
    worker = await queue.worker()
    a, b, c = await worker.take()
    await worker.end(a)
    await worker.release(b)
    repeated = await worker.again()
    assert repeated is not None
    assert repeated.jobs == [c]


async def test_an_older_number_gives_only_its_own(queue: QueueUnderTest) -> None:
    """A late packet with an old number neither takes nor shows what newer claims took."""
    await queue.submit("a", "b")
    worker = await queue.worker()
    (a,) = await worker.take(1)
    await worker.take(1)
    worker.number = 1
    old = await worker.again()
    assert old is not None
    assert old.jobs == [a]


async def test_returning_a_claim_gives_its_jobs_back_and_uses_the_number_up(queue: QueueUnderTest) -> None:
    """What that claim took goes back to the head; other claims' jobs stay; the number gives nothing more."""
    await queue.submit("a", "b", "c", "d")
    worker = await queue.worker()
    kept = await worker.take(1)
    await worker.take(2)
    returned = await queue.store.return_claim(queue.name, worker.name, worker.number)
    assert returned.suffixes == ["b", "c"]
    repeated = await worker.again()
    assert repeated is not None
    assert repeated.jobs == []
    assert await worker.beat() == {kept[0].token: ("a", 1)}
    assert await worker.names() == ["b", "c", "d"]


async def test_a_claim_that_arrives_after_its_return_takes_nothing(queue: QueueUnderTest) -> None:
    """Return and claim may overtake each other: the number is used up either way."""
    await queue.submit("a")
    worker = await queue.worker()
    worker.number = 5
    assert (await queue.store.return_claim(queue.name, worker.name, 5)).suffixes == []
    late = await worker.again()
    assert late is not None
    assert late.jobs == []
    assert await worker.names() == ["a"]


async def test_returning_an_old_number_does_not_free_newer_ones(queue: QueueUnderTest) -> None:
    """The last number never goes down."""
    await queue.submit("a")
    worker = await queue.worker()
    worker.number = 7
    await worker.again(0)
    await queue.store.return_claim(queue.name, worker.name, 3)
    repeated = await worker.again()
    assert repeated is not None
    assert repeated.jobs == []


async def test_numbers_belong_to_workers(queue: QueueUnderTest) -> None:
    """Returning a number gives back nothing of another worker with the same number."""
    await queue.submit("a", "b")
    one, two = await queue.worker(), await queue.worker()
    await one.take(1)
    await two.take(1)
    assert (await queue.store.return_claim(queue.name, one.name, 1)).suffixes == ["a"]
    assert len(await two.beat() or {}) == 1


async def test_released_jobs_go_to_the_head_in_their_old_order(queue: QueueUnderTest) -> None:
    """They are claimed before what waited behind them, in the order in which they were claimed first."""
    await queue.submit("a", "b", "c", "d")
    worker = await queue.worker()
    taken = await worker.take(3)
    assert await worker.release(*taken) == ["a", "b", "c"]
    assert await worker.names() == ["a", "b", "c", "d"]


async def test_release_returns_each_job_to_its_own_line(queue: QueueUnderTest) -> None:
    """Priority still decides between released and waiting jobs."""
    await queue.submit("low", priority=1)
    await queue.submit("high", priority=2)
    worker = await queue.worker()
    await worker.release(*await worker.take())
    await queue.submit("top", priority=3)
    assert await worker.names() == ["top", "high", "low"]


async def test_release_rewrites_nothing(queue: QueueUnderTest) -> None:
    """No attempt is consumed, no word of the record changes."""
    await queue.submit("a")
    before = await queue.store.read(queue.name, "a")
    worker = await queue.worker()
    await queue.advance(100)
    await worker.release(*await worker.take())
    assert await queue.store.read(queue.name, "a") == before
    assert await queue.state("a") is JobState.READY


async def test_release_gives_back_only_what_is_held_under_the_token(queue: QueueUnderTest) -> None:
    """Wrong tokens, strangers' jobs and unknown ones are left out of the answer."""
    await queue.submit("a", "b", "c")
    worker, other = await queue.worker(), await queue.worker()
    a, b = await worker.take(2)
    (c,) = await other.take(1)
    pairs = [("a", a.token), ("b", b.token + 100), ("c", c.token), ("nobody", 1)]
    assert (await queue.store.release(queue.name, worker.name, pairs)).suffixes == ["a"]
    assert (await queue.store.facts(queue.name)).running == 2


async def test_a_pair_twice_in_one_release_counts_once(queue: QueueUnderTest) -> None:
    """A job is put back once however often it is named."""
    await queue.submit("a")
    worker = await queue.worker()
    (a,) = await worker.take()
    await worker.release(a, a)
    assert (await queue.store.facts(queue.name)).ready == 1
    assert await worker.names() == ["a"]
    assert await worker.names() == []


async def test_a_released_suspect_goes_to_the_head_of_the_suspects(queue: QueueUnderTest) -> None:
    """It stays a suspect, the first in line."""
    await queue.suspects("s1", "s2")
    worker = await queue.worker()
    await worker.release(*await worker.take(1))
    assert await worker.names(suspect=False) == []
    assert await worker.names() == ["s1"]


async def test_a_released_job_is_claimed_under_a_new_token(queue: QueueUnderTest) -> None:
    """The old token opens nothing any more."""
    await queue.submit("a")
    worker = await queue.worker()
    old = await worker.take_one()
    await worker.release(old)
    new = await worker.take_one()
    assert new.token > old.token
    assert await worker.end(old) == "refused"
    assert await worker.release(old) == []
    assert await worker.end(new) == "settled"


async def test_leaving_gives_back_everything_in_order(queue: QueueUnderTest) -> None:
    """Leaving is a release of all that is held, and the end of the lease."""
    await queue.submit("a", "b", "c")
    worker, other = await queue.worker(), await queue.worker()
    await worker.take(1)
    await worker.take(1)
    assert await worker.leave() == ["a", "b"]
    assert await other.names() == ["a", "b", "c"]
    assert await worker.beat() is None
    assert await worker.claim() is None


async def test_one_that_left_may_join_again_and_starts_anew(queue: QueueUnderTest) -> None:
    """Leaving forgets the claim number."""
    await queue.submit("a")
    worker = await queue.worker()
    assert suffixes(await worker.take()) == ["a"]
    await worker.leave()
    await queue.store.join(queue.name, worker.name, 1_000)
    worker.number = 0
    assert await worker.names() == ["a"]
