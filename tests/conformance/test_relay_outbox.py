"""What a store keeps for relays: every ending, until each registered sink has acknowledged it."""

import pytest
import trio

from penstock.engine.errors import QueueFull
from penstock.engine.job import JobState
from penstock.engine.memory_store import MemoryStore
from penstock.engine.outbox import ASIDE_KEPT, Backlog, Entry, Outbox, StoreWithOutbox, Taken
from penstock.engine.record import parse_record
from penstock.engine.redis_store import RedisStore
from support.stores import QueueUnderTest, ending, new_job, settlement

SILENCE = 30_000
MOST = 1000


class Ends:
    """Makes endings on the queue under test, and takes them for one sink."""

    def __init__(self, queue: QueueUnderTest) -> None:
        self.queue = queue
        store = queue.store
        assert isinstance(store, RedisStore | MemoryStore)
        serves_relays: StoreWithOutbox = store
        self.outbox: Outbox = serves_relays.outbox

    async def enlist(self, *sinks: str, most: int = MOST) -> None:
        for sink in sinks:
            await self.outbox.enlist(self.queue.name, sink, most)

    async def end(self, *suffixes: str) -> None:
        """Jobs of these names end, one after the other."""
        for suffix in suffixes:
            await self.queue.submit(suffix)
            await self.queue.store.cancel(self.queue.name, suffix)

    async def taken(self, sink: str = "s", relay: str = "r", count: int = 100) -> Taken:
        taken = await self.outbox.take(self.queue.name, sink, relay, count, SILENCE)
        assert taken is not None
        return taken

    async def take(self, sink: str = "s", relay: str = "r", count: int = 100) -> list[Entry]:
        return (await self.taken(sink, relay, count)).entries

    async def names(self, sink: str = "s", relay: str = "r", count: int = 100) -> list[str]:
        return [entry.suffix for entry in await self.take(sink, relay, count)]

    async def acknowledge(self, entries: list[Entry], sink: str = "s") -> int:
        return await self.outbox.acknowledge(self.queue.name, sink, [entry.id for entry in entries])

    async def behind(self) -> dict[str, int]:
        backlog = await self.outbox.backlog(self.queue.name)
        return {sink.sink: sink.behind for sink in backlog.sinks}


@pytest.fixture
def ends(queue: QueueUnderTest) -> Ends:
    return Ends(queue)


async def test_every_ending_after_the_registration_is_given_once_it_has_happened(
    queue: QueueUnderTest, ends: Ends
) -> None:
    """Final ones by settling, cancelling and reaping; ends of attempts that are followed by another."""
    await ends.end("before")
    await ends.enlist("s")
    states = ("succeeded", "dead", "expired", "cancelled", "scheduled", "ready")
    await queue.submit(*states, "parked", "crashes")
    worker = await queue.worker()
    jobs = {claimed.suffix: claimed for claimed in await worker.take()}
    for name in (*states, "parked"):
        await worker.end(jobs[name], JobState(name), ending=ending(name))
    await worker.leave()
    while (await queue.state("crashes")) is not JobState.DEAD:
        victim = await queue.worker()
        await victim.take()
        await queue.crash(victim)
    entries = await ends.take()

    told = [(entry.suffix, str(parse_record(entry.record).header.state)) for entry in entries]
    assert told == [*((name, name) for name in states), *told[len(states) :]]
    assert ("crashes", "dead") in told[len(states) :]
    assert "parked" not in dict(told)
    assert parse_record(entries[0].record).ending == ending("succeeded")


async def test_an_entry_keeps_what_was_true_when_it_was_made(queue: QueueUnderTest, ends: Ends) -> None:
    """A later attempt rewrites the record, and time removes it; the entry stays as it is."""
    await ends.enlist("s")
    await queue.submit("a")
    worker = await queue.worker()
    await worker.end(await worker.take_one(), JobState.READY, ending=ending("first"))
    at = queue.now
    await queue.advance(10)
    await worker.end(await worker.take_one(), attempt=2, ending=ending("second"), delay=1)
    entries = await ends.take()

    records = [parse_record(entry.record) for entry in entries]
    assert [record.ending for record in records] == [ending("first"), ending("second")]
    assert [record.header.attempt for record in records] == [1, 2]
    assert [entry.at for entry in entries] == [at, at + 10]


async def test_what_a_relay_has_comes_again_until_it_is_acknowledged(ends: Ends) -> None:
    """The same entries in the same order, and nothing else meanwhile."""
    await ends.enlist("s")
    await ends.end("a", "b", "c")
    first = await ends.take(count=2)
    assert [entry.suffix for entry in first] == ["a", "b"]
    assert await ends.take(count=2) == first
    await ends.acknowledge(first[:1])
    assert await ends.names(count=2) == ["b"]
    await ends.acknowledge(first)
    assert await ends.names(count=2) == ["c"]


async def test_acknowledging_twice_counts_once(ends: Ends) -> None:
    """A lost reply costs nothing."""
    await ends.enlist("s")
    await ends.end("a")
    entries = await ends.take()
    assert [await ends.acknowledge(entries) for _ in range(2)] == [1, 0]


async def test_relays_of_one_sink_share_its_endings(ends: Ends) -> None:
    """No entry is with two of them."""
    await ends.enlist("s")
    await ends.end("a", "b", "c")
    assert await ends.names(relay="r1", count=2) == ["a", "b"]
    assert await ends.names(relay="r2", count=2) == ["c"]


async def test_sinks_progress_by_themselves_and_nothing_unread_goes(
    queue: QueueUnderTest, ends: Ends
) -> None:
    """The slow one loses nothing by the fast one's acknowledgements, in whatever order they come."""
    await ends.enlist("slow", "fast")
    await ends.end(*"abcde")
    entries = await ends.take("fast")
    await ends.acknowledge(entries[2:], "fast")
    await ends.acknowledge(entries[:2], "fast")
    assert await ends.behind() == {"fast": 0, "slow": 5}
    assert await ends.names("slow", count=3) == list("abc")
    await ends.end("f")
    assert await ends.names("fast") == ["f"]


async def test_the_silent_are_succeeded_and_the_others_are_not(queue: QueueUnderTest, ends: Ends) -> None:
    """What a relay has goes to another once it has not taken for so long; taking is a sign of life."""
    await ends.enlist("s")
    await ends.end("a", "b")
    held = await ends.names(relay="alive", count=1)
    orphaned = await ends.names(relay="dead", count=1)
    await queue.advance(SILENCE - 1)
    assert await ends.names(relay="alive", count=1) == held
    assert await ends.names(relay="heir") == []
    await queue.advance(1)
    assert await ends.names(relay="heir") == orphaned
    assert await ends.names(relay="dead") == []


async def test_what_many_dead_relays_had_is_taken_over_in_pieces(queue: QueueUnderTest, ends: Ends) -> None:
    """No more at a time than is asked for, until nothing is left of them."""
    await ends.enlist("s")
    await ends.end(*"abcde")
    await ends.take(relay="r1", count=3)
    await ends.take(relay="r2", count=2)
    await queue.advance(SILENCE)
    got: list[str] = []
    while entries := await ends.take(relay="heir", count=2):
        got += [entry.suffix for entry in entries]
        await ends.acknowledge(entries)
    assert sorted(got) == list("abcde")
    (sink,) = (await ends.outbox.backlog(queue.name)).sinks
    assert (sink.behind, sink.relays) == (0, 1)


async def test_what_a_relay_leaves_is_free_at_once(queue: QueueUnderTest, ends: Ends) -> None:
    """One that ends in order does not have to be missed first; leaving twice is leaving once."""
    await ends.enlist("s")
    await ends.end("a", "b")
    await ends.take(relay="r1")
    assert [await ends.outbox.retire(queue.name, "s", "r1") for _ in range(2)] == [2, 2]
    entries = await ends.take(relay="r2")
    assert [entry.suffix for entry in entries] == ["a", "b"]
    await ends.acknowledge(entries)
    assert await ends.outbox.retire(queue.name, "s", "r2") == 0
    (sink,) = (await ends.outbox.backlog(queue.name)).sinks
    assert sink.relays == 0


async def test_behind_and_since_when_is_told(queue: QueueUnderTest, ends: Ends) -> None:
    """Entries not acknowledged, taken ones included, and the age of the oldest."""
    await ends.enlist("s")
    assert (await ends.taken()).since is None
    began = queue.now
    await ends.end("a")
    await queue.advance(5)
    await ends.end("b")
    first = await ends.taken(count=1)
    assert (first.behind, first.since, first.now) == (2, began, began + 5)
    await ends.acknowledge(first.entries)
    second = await ends.taken()
    assert (second.behind, second.since) == (1, began + 5)
    backlog = await ends.outbox.backlog(queue.name)
    assert (backlog.most, backlog.now, backlog.aside) == (MOST, began + 5, 0)
    assert [(sink.behind, sink.since) for sink in backlog.sinks] == [(1, began + 5)]


async def test_submissions_are_refused_while_too_many_wait(queue: QueueUnderTest, ends: Ends) -> None:
    """One and many, ready and scheduled; what waits stays, what is known stays known; later there is room."""
    await ends.enlist("s", most=2)
    await ends.end("a", "b")
    for jobs in ([new_job("x")], [new_job("x"), new_job("y")], [new_job("x", delay=10)]):
        with pytest.raises(QueueFull, match="2 endings waiting for its relays and takes at most 2"):
            await queue.store.submit(queue.name, jobs)
    assert await queue.store.read(queue.name, "x") is None
    assert (await queue.store.facts(queue.name)).ready == 0
    assert [answer.created for answer in await queue.submit("a")] == [True]
    assert [answer.created for answer in await queue.submit("a", "b")] == [True, True]
    entries = await ends.take()
    assert [entry.suffix for entry in entries] == ["a", "b"]
    await ends.acknowledge(entries[:1])
    assert [answer.created for answer in await queue.submit("x")] == [True]


async def test_what_waits_already_may_end_beyond_the_bound(queue: QueueUnderTest, ends: Ends) -> None:
    """Nothing unread is trimmed: the bound is on what is taken in."""
    await ends.enlist("s", most=1)
    names = [f"j{number}" for number in range(300)]
    await queue.submit(*names)
    worker = await queue.worker()
    await worker.settle(*map(settlement, await worker.take(300)))
    assert await ends.names(count=1000) == names


async def test_what_cannot_be_read_is_kept_apart_within_bounds(queue: QueueUnderTest, ends: Ends) -> None:
    """It is acknowledged, counted once, and only the last ones are kept."""
    await ends.enlist("s")
    names = [f"j{number}" for number in range(ASIDE_KEPT + 5)]
    await ends.end(*names)
    ids = [entry.id for entry in await ends.take(count=1000)]
    assert await ends.outbox.set_aside(queue.name, "s", ids[:2]) == 2
    assert await ends.outbox.set_aside(queue.name, "s", ids) == len(ids) - 2
    assert await ends.outbox.set_aside(queue.name, "s", ids) == 0
    backlog = await ends.outbox.backlog(queue.name)
    assert (backlog.aside, backlog.sinks[0].behind) == (ASIDE_KEPT, 0)


async def test_registering_again_changes_the_bound_and_nothing_else(
    queue: QueueUnderTest, ends: Ends
) -> None:
    """A relay that starts does so; the last bound counts, and the queue is one that operators see."""
    assert await ends.outbox.enlist(queue.name, "s", 5) is True
    assert queue.name in await queue.store.queues()
    await ends.end("a")
    assert await ends.outbox.enlist(queue.name, "s", 7) is False
    assert (await ends.outbox.backlog(queue.name)).most == 7
    assert await ends.names() == ["a"]


async def test_nothing_waits_for_a_sink_that_was_unregistered(queue: QueueUnderTest, ends: Ends) -> None:
    """Its part goes; with the last one everything does, and submissions are taken again."""
    await ends.enlist("gone", "stays", most=2)
    await ends.end("a", "b")
    await ends.take("gone", count=1)
    await ends.acknowledge(await ends.take("stays", count=1), "stays")
    assert [await ends.outbox.withdraw(queue.name, "gone") for _ in range(2)] == [2, None]
    assert await ends.outbox.take(queue.name, "gone", "r", 1, SILENCE) is None
    assert await ends.names("stays") == ["b"]
    assert await ends.outbox.withdraw(queue.name, "stays") == 1
    assert (await ends.outbox.backlog(queue.name)).sinks == []
    await ends.end("c")
    assert await ends.outbox.backlog(queue.name) == Backlog(queue.now, 0, 0, [])


async def test_of_what_is_not_registered_nothing_is_left(queue: QueueUnderTest, ends: Ends) -> None:
    """Calls about a sink that nobody knows change nothing."""
    name, outbox = queue.name, ends.outbox
    assert await outbox.take(name, "s", "r", 1, SILENCE) is None
    assert await outbox.acknowledge(name, "s", ["1-1"]) == 0
    assert await outbox.set_aside(name, "s", ["1-1"]) == 0
    assert await outbox.retire(name, "s", "r") == 0
    assert await outbox.withdraw(name, "s") is None
    assert await queue.harness.leftovers(name) == set()


async def test_word_of_an_ending_comes_without_asking_again(ends: Ends, queue: QueueUnderTest) -> None:
    """Who waits is told of what comes behind what it has seen; what came in between is told at once."""
    await ends.enlist("s")
    async with ends.outbox.news(queue.name) as news:
        seen = (await ends.taken()).last
        await ends.end("a")
        with trio.fail_after(10):
            await news.wait(seen, 60)
        await ends.acknowledge(await ends.take())
        seen = (await ends.taken()).last
        async with trio.open_nursery() as nursery:
            nursery.start_soon(ends.end, "b")
            with trio.fail_after(10):
                await news.wait(seen, 60)
        await ends.take()
        await news.wait((await ends.taken()).last, 0.01)
