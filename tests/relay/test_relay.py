"""A relay hands every ending on, repeats what was not taken, and waits without asking."""

from itertools import pairwise

import pytest
import trio
from opentelemetry.semconv._incubating.attributes import messaging_attributes as conventions
from trio.testing import MockClock

from penstock.engine.errors import ConfigurationError, StoreUnavailable
from penstock.engine.events import StoreDown, StoreUp
from penstock.engine.job import JobState
from penstock.engine.memory_store import MemoryStore
from penstock.engine.outbox import Taken
from penstock.engine.relay import EndingsSetAside, Relay, RelaySettings, SinkFailed, SinkRecovered
from penstock.engine.retry import Backoff
from relay.rig import QUEUE, Operations, Shelf, names, relaying
from support.stores import new_job
from support.work import virtual_clock

QUICK = Backoff(base=1, cap=8, jitter=False)


async def test_endings_reach_every_sink_in_order(autojump_clock: MockClock) -> None:
    """Of all queues; when they have arrived nothing is kept for them any more."""
    one, other = Shelf("one"), Shelf("other")
    async with relaying() as site:
        await site.relay(one, other, queues=("q", "r"))
        await site.end("a", "b")
        await site.end("x", queue="r")
        for shelf in (one, other):
            await shelf.wait_for("a", "b", "x")
            assert [name for name in names(shelf.kept) if name != "x"] == ["a", "b"]
            assert {ending.state for ending in shelf.kept} == {JobState.CANCELLED}
        await trio.testing.wait_all_tasks_blocked()
        assert [await site.behind(queue) for queue in ("q", "r")] == [{"one": 0, "other": 0}] * 2


async def test_a_slow_sink_holds_nobody_else_up(autojump_clock: MockClock) -> None:
    """Neither the other sink of its queue nor its own other queue."""
    slow, fast = Shelf("slow"), Shelf("fast")

    async def take_long() -> None:
        if slow.asked[-1] == ["a"]:
            await trio.sleep(9)

    slow.before = take_long
    async with relaying() as site:
        await site.relay(slow, fast, queues=("q", "r"))
        await site.end("a")
        await site.end("x", queue="r")
        began = trio.current_time()
        await fast.wait_for("a", "x")
        await slow.wait_for("x")
        assert trio.current_time() == began
        await slow.wait_for("a")
        assert trio.current_time() == began + 9


async def test_what_a_sink_did_not_take_comes_again_with_growing_pauses(autojump_clock: MockClock) -> None:
    """The same batch, though more has ended meanwhile; the pauses are told, and that it works again."""
    shelf, times = Shelf(), list[float]()

    async def fail_thrice() -> None:
        times.append(trio.current_time())
        if len(times) <= 3:
            await site.end(f"later-{len(times)}")
            raise OSError("no route")

    shelf.before = fail_thrice
    async with relaying() as site:
        await site.relay(shelf, backoff=QUICK)
        await site.end("a")
        await shelf.wait_for("a", "later-1", "later-2", "later-3")
        assert shelf.asked == [*[["a"]] * 4, ["later-1", "later-2", "later-3"]]
        assert [round(after - before) for before, after in pairwise(times[:4])] == [1, 2, 4]
        failed = [fact for fact in site.told if isinstance(fact, SinkFailed)]
        assert [(fact.sink, fact.failures, fact.delay) for fact in failed] == [
            ("shelf", 1, 1),
            ("shelf", 2, 2),
            ("shelf", 3, 4),
        ]
        assert site.told[-1] == SinkRecovered("shelf", QUEUE, 3)


async def test_a_sink_that_hangs_is_cut_off(autojump_clock: MockClock) -> None:
    """After its time it counts as failed, and is offered the same again."""
    shelf = Shelf()

    async def hang_once() -> None:
        if len(shelf.asked) == 1:
            await trio.sleep_forever()

    shelf.before = hang_once
    async with relaying() as site:
        await site.relay(shelf, timeout=7, backoff=QUICK)
        await site.end("a")
        await shelf.wait_for("a")
        assert shelf.asked == [["a"], ["a"]]
        assert isinstance(site.told[0], SinkFailed)
        assert isinstance(site.told[0].error, trio.TooSlowError)


async def test_no_more_than_a_batch_is_held(autojump_clock: MockClock) -> None:
    """What waits behind a sink that does not take stays in the store."""
    shelf = Shelf()
    async with relaying() as site:
        await site.store.outbox.enlist(QUEUE, "shelf", 100)
        await site.end(*(f"j{number}" for number in range(7)))
        await site.relay(shelf, batch=3)
        await shelf.wait_for("j6")
        assert [len(batch) for batch in shelf.asked] == [3, 3, 1]


async def test_a_relay_that_waits_does_not_ask(autojump_clock: MockClock) -> None:
    """Between two endings an hour apart it looks every `look` seconds and no more often."""
    store, looks = MemoryStore(virtual_clock), 0
    take = store.outbox.take

    async def counted(queue: str, sink: str, relay: str, count: int, silence: int) -> Taken | None:
        nonlocal looks
        looks += 1
        return await take(queue, sink, relay, count, silence)

    store.outbox.take = counted  # type: ignore[method-assign]  # counts the calls
    shelf = Shelf()
    async with relaying(store) as site:
        await site.relay(shelf, look=60)
        await trio.sleep(3601)
        await site.end("a")
        await shelf.wait_for("a")
    assert 60 <= looks <= 64


async def test_draining_finishes_the_batch_under_way(autojump_clock: MockClock) -> None:
    """It is acknowledged, nothing more is taken, and what is left is another's at once."""
    shelf, released = Shelf(), trio.Event()
    shelf.before = released.wait
    async with relaying() as site:
        relay = await site.relay(shelf, batch=1)
        await site.end("a", "b")
        await shelf.wait_until(lambda shelf: len(shelf.asked) == 1)
        relay.drain()
        await trio.testing.wait_all_tasks_blocked()
        assert not relay.ready
        released.set()
        await trio.testing.wait_all_tasks_blocked()
        assert (shelf.asked, names(shelf.kept)) == ([["a"]], ["a"])
        assert await site.behind() == {"shelf": 1}
        (sink,) = (await site.store.outbox.backlog(QUEUE)).sinks
        assert sink.relays == 0


@pytest.mark.parametrize("busy", [False, True])
async def test_a_relay_that_drains_ends_in_time(autojump_clock: MockClock, busy: bool) -> None:
    """At once while it waits or pauses; after its grace where a sink does not end; others have the rest."""
    shelf, heir = Shelf(), Shelf()

    async def refuse() -> None:
        if busy:
            await trio.sleep_forever()
        raise OSError("no")

    shelf.before = refuse
    store = MemoryStore(virtual_clock)
    async with relaying(store) as site:
        settings = RelaySettings(
            timeout=60, silence=600, grace=5, backoff=Backoff(base=100, cap=100, jitter=False)
        )
        relay = Relay(store, [QUEUE], [shelf], settings)
        async with trio.open_nursery() as nursery:
            await nursery.start(relay.run)
            await trio.testing.wait_all_tasks_blocked()
            await site.end("a")
            await shelf.wait_until(lambda shelf: len(shelf.asked) == 1)
            await trio.testing.wait_all_tasks_blocked()
            began = trio.current_time()
            relay.drain()
        assert trio.current_time() - began == (5 if busy else 0)
        await site.relay(heir, silence=600)
        await heir.wait_for("a")
        assert trio.current_time() - began <= (600 if busy else 1)


async def test_another_relay_takes_over_what_a_dead_one_had(autojump_clock: MockClock) -> None:
    """After the silence; while it lives, however long its sink takes, it keeps what it has."""
    dying, heir = Shelf(), Shelf()
    dying.before = trio.sleep_forever
    async with relaying() as site:
        async with trio.open_nursery() as nursery:
            relay = Relay(site.store, [QUEUE], [dying], RelaySettings(timeout=10, silence=30))
            await nursery.start(relay.run)
            await trio.testing.wait_all_tasks_blocked()
            await site.end("a")
            await dying.wait_until(lambda shelf: len(shelf.asked) == 3)
            await site.relay(heir, silence=30)
            await dying.wait_until(lambda shelf: len(shelf.asked) == 6)
            assert heir.asked == []
            nursery.cancel_scope.cancel()
        died = trio.current_time()
        await heir.wait_for("a")
        assert trio.current_time() - died <= 30 + RelaySettings().look


async def test_unreadable_entries_hold_nobody_up(autojump_clock: MockClock) -> None:
    """They are kept apart, counted and told; those beside them arrive."""
    shelf = Shelf()
    async with relaying() as site:
        await site.relay(shelf)
        await site.store.submit(QUEUE, [new_job("a"), new_job("garbled", body=b"\xc1"), new_job("b")])
        for suffix in ("a", "garbled", "b"):
            await site.store.cancel(QUEUE, suffix)
        await shelf.wait_for("a", "b")
        await trio.testing.wait_all_tasks_blocked()
        (fact,) = (fact for fact in site.told if isinstance(fact, EndingsSetAside))
        assert (fact.sink, fact.queue, fact.count) == ("shelf", QUEUE, 1)
        assert fact.example.startswith("q.garbled: ")
        assert (await site.store.outbox.backlog(QUEUE)).aside == 1
        assert names(shelf.kept) == ["a", "b"]


async def test_a_store_that_is_away_is_waited_for(autojump_clock: MockClock) -> None:
    """What was taken before comes again after; the operator hears of both."""
    store, shelf = MemoryStore(virtual_clock), Shelf()
    acknowledge, away = store.outbox.acknowledge, True

    async def unreachable(queue: str, sink: str, ids: list[str]) -> int:
        if away:
            raise StoreUnavailable("away")
        return await acknowledge(queue, sink, ids)

    store.outbox.acknowledge = unreachable  # type: ignore[method-assign,assignment]  # the store is away
    async with relaying(store) as site:
        await site.relay(shelf)
        await site.end("a")
        await site.ears.wait_for(StoreDown, count=2)
        away = False
        await site.ears.wait_for(StoreUp, count=2)
        await trio.testing.wait_all_tasks_blocked()
        assert set(names(shelf.kept)) == {"a"}
        assert len(shelf.kept) > 1
        assert await site.behind() == {"shelf": 0}


async def test_a_sink_that_was_unregistered_under_us_is_registered_again(autojump_clock: MockClock) -> None:
    """Unregistering is for sinks that nobody serves any more."""
    shelf = Shelf()
    async with relaying() as site:
        await site.relay(shelf)
        await site.store.outbox.withdraw(QUEUE, "shelf")
        await trio.sleep(RelaySettings().look + 1)
        await site.end("a")
        await shelf.wait_for("a")


async def test_every_batch_is_an_operation_in_the_words_of_the_conventions(autojump_clock: MockClock) -> None:
    """One for each try, with what it was about; a try that failed shows why."""
    shelf, operations = Shelf(), Operations()

    async def fail_once() -> None:
        if len(shelf.asked) == 1:
            raise OSError("no")

    shelf.before = fail_once
    async with relaying() as site:
        relay = await site.relay(shelf, around=operations, backoff=QUICK)
        await site.end("a")
        await shelf.wait_for("a")
    assert [(one.name, one.kind) for one in operations.seen] == [("relay q", "consumer")] * 2
    assert operations.raised == ["OSError"]
    assert operations.seen[0].attributes == {
        conventions.MESSAGING_SYSTEM: "penstock",
        conventions.MESSAGING_OPERATION_NAME: "relay",
        conventions.MESSAGING_OPERATION_TYPE: conventions.MessagingOperationTypeValues.PROCESS.value,
        conventions.MESSAGING_DESTINATION_NAME: QUEUE,
        conventions.MESSAGING_CONSUMER_GROUP_NAME: "shelf",
        conventions.MESSAGING_CLIENT_ID: relay.name,
        conventions.MESSAGING_BATCH_MESSAGE_COUNT: 1,
    }


async def test_what_cannot_work_is_refused_at_once() -> None:
    """No queue, no sink, two of one name, a name that is none, a silence that the living would break."""
    store = MemoryStore()
    for queues, sinks in ([], [Shelf()]), (["q"], []), (["q"], [Shelf(), Shelf()]), (["q"], [Shelf("A b")]):
        with pytest.raises(ConfigurationError):
            Relay(store, queues, sinks)
    with pytest.raises(ConfigurationError, match="needs 72 s at least"):
        RelaySettings(timeout=50)
