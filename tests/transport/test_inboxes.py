import math

import pytest
import trio
from trio.testing import MockClock

from penstock.engine.errors import StoreUnavailable
from penstock.engine.transport import Cluster, ConnectionLost
from penstock.engine.transport.inboxes import Inboxes
from penstock.engine.transport.slots import slot_of
from penstock.engine.transport.subscription import Subscription
from penstock.engine.transport.wire import Wire
from transport.fake_nodes import fake_nodes, moved, shards
from transport.fake_stream import FakeStream, array, bulk, silence


def message(channel: bytes, payload: bytes) -> bytes:
    return array(bulk(b"smessage"), bulk(channel), bulk(payload))


def confirm(command: list[bytes]) -> bytes:
    verb, *channels = command
    return b"".join(array(bulk(verb.lower()), bulk(channel), b":1\r\n") for channel in channels)


def inboxes_on(*streams: FakeStream) -> Inboxes:
    wires = [Wire(stream, "fake") for stream in streams]
    return Inboxes([Subscription(wire, idle_ping=math.inf, reply_timeout=3) for wire in wires])


async def test_messages_of_all_servers_come_in_one_stream() -> None:
    """Whoever has something first; those of one server in order."""
    one, two = FakeStream(silence), FakeStream(silence)
    inbox = inboxes_on(one, two)
    received: list[bytes] = []

    async def listen() -> None:
        while len(received) < 5:
            received.append((await inbox.receive())[1])

    with trio.fail_after(5):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(listen)
            await trio.testing.wait_all_tasks_blocked()
            two.push(message(b"b", b"3"))
            await trio.testing.wait_all_tasks_blocked()
            one.push(message(b"a", b"1") + message(b"a", b"2"))
            two.push(message(b"b", b"4") + message(b"b", b"5"))
    assert received[0] == b"3"
    assert [payload for payload in received if payload in b"12"] == [b"1", b"2"]
    assert [payload for payload in received if payload in b"345"] == [b"3", b"4", b"5"]


@pytest.mark.parametrize("after", range(1, 12))
async def test_cancellation_loses_no_message(after: int) -> None:
    """Cut off after any number of steps, the next call has what the cancelled one was about to return."""
    one, two = FakeStream(silence), FakeStream(silence)
    inbox = inboxes_on(one, two)
    one.push(message(b"a", b"1"))
    two.push(message(b"b", b"2"))
    received: list[bytes] = []
    with trio.CancelScope() as scope:
        async with trio.open_nursery() as nursery:

            @nursery.start_soon
            async def cut() -> None:
                for _ in range(after):
                    await trio.lowlevel.checkpoint()
                scope.cancel()

            received.append((await inbox.receive())[1])
    with trio.fail_after(5):
        while len(received) < 2:
            received.append((await inbox.receive())[1])
    assert sorted(received) == [b"1", b"2"]


async def test_it_is_lost_with_the_first_server_that_is() -> None:
    """Wake-ups of that one may have been missed; what had come before is still told."""
    one, two = FakeStream(silence), FakeStream(silence)
    inbox = inboxes_on(one, two)
    one.push(message(b"a", b"1"))
    with trio.fail_after(5):
        assert await inbox.receive() == (b"a", b"1")
        await two.aclose()
        with pytest.raises(ConnectionLost):
            await inbox.receive()


async def test_no_channels_have_no_messages(autojump_clock: MockClock) -> None:
    """Whoever listens to nothing waits, at no cost to others."""
    with trio.move_on_after(60) as scope:
        await Inboxes([]).receive()
    assert scope.cancelled_caught


async def test_channels_are_asked_for_where_they_are() -> None:
    """One connection a node, one command a slot: servers refuse to hear of two at once."""
    channels = ["a", "b", "{a}1", "{b}2", "c"]
    async with fake_nodes(2) as (one, two):
        one.answer = two.answer = lambda command: (
            shards(one, two) if command[0] == b"CLUSTER" else confirm(command)
        )
        async with Cluster(f"redis+cluster://127.0.0.1:{one.port}") as link:
            async with link.subscribe(*channels):
                asked = [c[1:] for node in (one, two) for c in node.commands if c[0] == b"SSUBSCRIBE"]
            assert sorted(channel.decode() for words in asked for channel in words) == sorted(channels)
            assert len(asked) == len({slot_of(channel) for channel in channels})
            assert all(len({slot_of(channel) for channel in words}) == 1 for words in asked)
            held_by_one = {channel.decode() for words in one.commands[1:] for channel in words[1:]}
            assert held_by_one == {channel for channel in channels if slot_of(channel) < 8192}


async def test_channels_that_have_moved_are_found_the_next_time() -> None:
    """The listener hears that it has to start again, and then stands at the new holder."""
    async with fake_nodes(2) as (old, new):
        old.answer = lambda command: (
            shards(old, old) if command[0] == b"CLUSTER" else moved(slot_of("a"), new)
        )
        new.answer = lambda command: shards(new, new) if command[0] == b"CLUSTER" else confirm(command)
        async with Cluster(f"redis+cluster://127.0.0.1:{old.port}") as link:
            with pytest.raises(StoreUnavailable, match="MOVED"):
                async with link.subscribe("a"):
                    pass
            async with link.subscribe("a"):
                assert new.count(b"SSUBSCRIBE") == 1
