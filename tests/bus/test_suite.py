"""What every bus does: each test runs on memory, on Redis streams and on Kafka's protocol."""

import pytest
import trio
import trio.testing

from bus.rig import WITHIN, BusUnderTest, ids, receive
from penstock.engine.bus import Received, Subscription
from penstock.engine.errors import InvalidRequest, PayloadTooLarge


async def test_an_event_arrives_as_it_was_published(rig: BusUnderTest) -> None:
    """Topic, id, data, headers, key and time are what they were."""
    event = rig.event("e", data=b"\x00\xff", headers={"traceparent": "00-1", "more": "é"}, key="k", time=12.5)
    await rig.bus.publish([event])
    async with rig.member() as member:
        [received] = await receive(member, 1)
    assert received.event == event


async def test_an_event_may_have_neither_key_nor_headers(rig: BusUnderTest) -> None:
    """What was not given does not appear."""
    event = rig.event("e")
    await rig.bus.publish([event])
    async with rig.member() as member:
        [received] = await receive(member, 1)
    assert received.event == event


async def test_what_was_committed_does_not_come_again(rig: BusUnderTest) -> None:
    """A later member of the group begins behind it."""
    await rig.publish("a", "b", key="k")
    async with rig.member() as member:
        await member.commit(await receive(member, 2))
    await rig.publish("c", key="k")
    async with rig.member() as member:
        assert ids(await receive(member, 1)) == ["c"]


async def test_what_was_not_committed_comes_again(rig: BusUnderTest) -> None:
    """A member that ended before it committed leaves its events to the next."""
    await rig.publish("a", "b", "c", key="k")
    async with rig.member() as member:
        received = await receive(member, 3)
        await member.commit(received[:1])
    async with rig.member() as member:
        assert ids(await receive(member, 2)) == ["b", "c"]


async def test_each_group_gets_every_event(rig: BusUnderTest) -> None:
    """What one group commits is still there for another."""
    await rig.publish("a", "b", key="k")
    for group in ("one", "two"):
        async with rig.member(group) as member:
            received = await receive(member, 2)
            await member.commit(received)
        assert ids(received) == ["a", "b"]


async def test_the_members_of_a_group_share_its_events(rig: BusUnderTest) -> None:
    """Two members get each event once between them."""
    heard: list[str] = []
    everything = trio.Event()

    async def listen(task_status: trio.TaskStatus[None]) -> None:
        async with rig.member() as member:
            task_status.started()
            while True:
                received = await member.receive()
                heard.extend(ids(received))
                await member.commit(received)
                if len(heard) >= 40:
                    everything.set()

    async with trio.open_nursery() as nursery:
        await nursery.start(listen)
        await nursery.start(listen)
        await rig.publish(*[f"e{number}" for number in range(40)])
        with trio.fail_after(WITHIN):
            await everything.wait()
        nursery.cancel_scope.cancel()
    assert sorted(set(heard)) == sorted(f"e{number}" for number in range(40))


async def test_events_of_one_key_come_in_order(rig: BusUnderTest) -> None:
    """Whatever lies between them."""
    for number in range(10):
        for key in ("a", "b", "c"):
            await rig.publish(f"{key}{number}", key=key)
    async with rig.member() as member:
        received = await receive(member, 30)
    for key in ("a", "b", "c"):
        assert [one.event.id for one in received if one.event.key == key] == [f"{key}{n}" for n in range(10)]


async def test_the_same_id_published_twice_is_received_once(rig: BusUnderTest) -> None:
    """Sending again after a lost answer does no harm."""
    event = rig.event("twice")
    await rig.bus.publish([event])
    await rig.bus.publish([event, event])
    await rig.publish("after", key="twice")
    async with rig.member() as member:
        received = await receive(member, 2)
        await member.commit(received)
    assert sorted(ids(received)) == ["after", "twice"]


async def test_cancelling_receive_loses_nothing(rig: BusUnderTest) -> None:
    """Cut off at any moment, it gives the event the next time."""
    async with rig.member() as member:
        for number in range(20):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(rig.publish, f"e{number}")
                received: list[Received] = []
                with trio.move_on_after(0.0005 * number):
                    received += await member.receive()
            received = received or await receive(member, 1)
            assert ids(received) == [f"e{number}"]
            await member.commit(received)


async def test_receive_waits_for_what_is_published_later(rig: BusUnderTest) -> None:
    """Whoever listens first hears it when it comes."""
    async with rig.member() as member, trio.open_nursery() as nursery:
        heard: list[str] = []

        async def listen() -> None:
            heard.extend(ids(await receive(member, 1)))

        nursery.start_soon(listen)
        await trio.testing.wait_all_tasks_blocked(0.05)
        assert heard == []
        await rig.publish("later")
    assert heard == ["later"]


async def test_the_backend_may_be_away_for_a_while(rig: BusUnderTest) -> None:
    """Publishing and receiving wait for it, and go on when it is back."""
    if rig.pause is None:
        pytest.skip("it cannot be away")
    async with rig.member() as member:
        await rig.publish("before")
        await member.commit(await receive(member, 1))
        rig.pause()
        heard: list[str] = []

        async def listen() -> None:
            heard.extend(ids(await receive(member, 1)))

        async with trio.open_nursery() as nursery:
            nursery.start_soon(rig.publish, "meanwhile")
            nursery.start_soon(listen)
            await trio.testing.wait_all_tasks_blocked(0.05)
            assert heard == []
            rig.resume()
    assert heard == ["meanwhile"]


async def test_the_lag_is_what_the_group_has_not_committed(rig: BusUnderTest) -> None:
    """The shares of the members add up to it."""
    await rig.publish(*[f"e{number}" for number in range(5)], key="k")
    async with rig.member() as one, rig.member() as other:
        await lag_becomes(5, rig.topic, one, other)
        receiver = trio.Event()
        async with trio.open_nursery() as nursery:

            async def commit_all(member: Subscription) -> None:
                await member.commit(await receive(member, 5))
                receiver.set()

            nursery.start_soon(commit_all, one)
            nursery.start_soon(commit_all, other)
            await receiver.wait()
            nursery.cancel_scope.cancel()
        await lag_becomes(0, rig.topic, one, other)


async def lag_becomes(expected: int, topic: str, *members: Subscription) -> None:
    """Wait, for a bounded time, until the members' shares add up to that."""
    with trio.fail_after(WITHIN):
        # A figure tells nobody when it changes.
        while sum([(await member.lag()).get(topic, 0) for member in members]) != expected:  # noqa: ASYNC110
            await trio.sleep(0.02)


async def test_names_and_sizes_are_checked_before_anything_is_sent(rig: BusUnderTest) -> None:
    """A name that a backend would not take, or a large event, is the caller's to mend."""
    good = rig.event("good")
    for bad in (rig.event("b", topic="no spaces"), rig.event("x" * 201), rig.event("k", key="")):
        with pytest.raises(InvalidRequest):
            await rig.bus.publish([good, bad])
    with pytest.raises(PayloadTooLarge):
        await rig.bus.publish([good, rig.event("large", data=b"x" * 300_000)])
    with pytest.raises(InvalidRequest):
        async with rig.bus.subscribe("no {braces}", [rig.topic]):
            pass
    await rig.publish("first")
    async with rig.member() as member:
        assert ids(await receive(member, 1)) == ["first"]
