"""What only the bus on Redis does: taking over from the dead, forgetting what was read, bounds."""

from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
import trio
import trio.testing

from bus.rig import SILENCE, WITHIN, BusUnderTest, ids, receive
from penstock.engine import keys
from penstock.engine.bus import BusRefused, BusUnavailable, MemoryBus, RedisAside, RedisBus, SetAside
from penstock.engine.bus.metrics import DROPPED_UNREAD
from penstock.engine.bus.redis_member import MAX_HELD, RedisMember
from penstock.engine.metric import LabelValue
from penstock.engine.transport import Link, open_link
from penstock.engine.transport.slots import slot_of
from support.redis_server import ValkeyServer


@asynccontextmanager
async def opened(server: ValkeyServer, **settings: Any) -> AsyncGenerator[tuple[BusUnderTest, Link]]:
    """A bus of one's own settings, and the link beneath."""
    link = open_link(server.url)
    try:
        given: dict[str, Any] = {"silence": SILENCE} | settings
        bus = RedisBus(link, **given)
        yield BusUnderTest(bus, pause=server.pause, resume=server.resume), link
    finally:
        await link.aclose()


def counted(topic: str) -> tuple[list[float], Callable[[], None]]:
    """What is dropped unread of `topic`, as it is counted."""
    amounts: list[float] = []

    def hear(_change: str, labels: tuple[LabelValue, ...], amount: float) -> None:
        if labels == (topic,):
            amounts.append(amount)

    return amounts, DROPPED_UNREAD.bind(hear)


async def test_what_a_dead_member_held_is_taken_over(server: ValkeyServer) -> None:
    """It said no good-bye; after `SILENCE` the others have its events, and forget it."""
    async with opened(server) as (rig, link):
        dead = RedisMember(link, rig.topic, "g", "dead", SILENCE)
        await rig.publish("a", "b")
        assert ids(await dead.take()) == ["a", "b"]
        async with rig.member() as member:
            received = await receive(member, 2)
            assert ids(received) == ["a", "b"]
            await member.commit(received)
            with trio.fail_after(WITHIN):
                while await consumers(link, rig.topic) > 1:
                    await rig.publish("more")
                    with trio.move_on_after(SILENCE):
                        await member.commit(await member.receive())


async def consumers(link: Link, topic: str) -> int:
    """How many members the server knows."""
    reply: Any = await link.execute("XINFO", "CONSUMERS", keys.topic_log(topic), "g")
    return len(reply)


async def test_a_member_that_asks_for_its_lag_lives(server: ValkeyServer) -> None:
    """Nobody takes over from one that is slow but says so."""
    async with opened(server) as (rig, link):
        slow = RedisMember(link, rig.topic, "g", "slow", SILENCE)
        await rig.publish("a")
        await slow.take()
        other = RedisMember(link, rig.topic, "g", "other", SILENCE)
        until = trio.current_time() + 2 * SILENCE
        while trio.current_time() < until:
            assert await slow.share() >= 1
            assert await other.take() == []
            await trio.sleep(SILENCE / 20)


async def test_an_answer_that_was_lost_is_given_again(server: ValkeyServer) -> None:
    """A member that was cut off while it took looks back before it takes anything new."""
    async with opened(server) as (rig, link):
        member = RedisMember(link, rig.topic, "g", "m", 30.0)
        await rig.publish("a", "b")
        assert ids(await member.take()) == ["a", "b"]
        again = RedisMember(link, rig.topic, "g", "m", 30.0)  # the same member, which has heard nothing
        assert ids(await again.take()) == ["a", "b"]
        assert await again.take() == []


async def test_a_member_holds_a_bounded_number_of_events(server: ValkeyServer) -> None:
    """Then it waits until some are committed."""
    async with opened(server) as (rig, link):
        await rig.publish(*[f"e{number}" for number in range(MAX_HELD + 5)])
        member = RedisMember(link, rig.topic, "g", "m", 30.0)
        held = [one for _ in range(MAX_HELD // 100) for one in await member.take()]
        assert len(held) == MAX_HELD
        with trio.move_on_after(0.05) as scope:
            await member.take()
        assert scope.cancelled_caught
        await member.commit(held[:3])
        assert ids(await member.take()) == [f"e{MAX_HELD + number}" for number in range(3)]


async def test_what_every_group_has_committed_goes_first(server: ValkeyServer) -> None:
    """Past `keep` events a topic is trimmed behind the slowest group, and nothing is counted as dropped."""
    async with opened(server, keep=10, most=1000) as (rig, link):
        dropped, unbind = counted(rig.topic)
        slow = RedisMember(link, rig.topic, "slow", "s", 30.0)
        quick = RedisMember(link, rig.topic, "quick", "q", 30.0)
        await rig.publish(*[f"e{number}" for number in range(50)])
        await quick.commit(await quick.take())
        held = await slow.take()
        await slow.commit(held[:20])
        await rig.publish("one more")
        assert await link.execute("XLEN", keys.topic_log(rig.topic)) == 31
        await slow.commit(held)
        await rig.publish("another")
        assert await link.execute("XLEN", keys.topic_log(rig.topic)) == 3
        unbind()
        assert dropped == []


async def test_what_is_dropped_unread_is_counted(server: ValkeyServer) -> None:
    """Past `most` the oldest go: undelivered ones, and ones that were delivered and not committed."""
    async with opened(server, keep=10, most=100) as (rig, link):
        dropped, unbind = counted(rig.topic)
        member = RedisMember(link, rig.topic, "g", "m", 30.0)
        assert await member.take() == []  # so the group exists
        await rig.publish(*[f"a{number}" for number in range(60)])
        await member.take()  # and does not commit
        await rig.publish(*[f"b{number}" for number in range(70)])
        await rig.publish(*[f"c{number}" for number in range(90)])
        unbind()
        assert sum(dropped) == 120
        assert await link.execute("XLEN", keys.topic_log(rig.topic)) == 100


async def test_an_id_is_forgotten_after_its_window(server: ValkeyServer) -> None:
    """Then it is another event."""
    async with opened(server, window=0.05) as (rig, link):
        await rig.publish("again")
        await trio.sleep(0.1)
        await rig.publish("again")
        assert await link.execute("XLEN", keys.topic_log(rig.topic)) == 2


async def test_the_number_of_ids_that_are_known_is_bounded(server: ValkeyServer) -> None:
    """The oldest is forgotten first."""
    async with opened(server, most_ids=5) as (rig, link):
        await rig.publish(*[f"e{number}" for number in range(20)])
        assert await link.execute("ZCARD", keys.topic_ids(rig.topic)) == 5


async def test_a_group_may_begin_with_what_is_new(server: ValkeyServer) -> None:
    """As it is when the subscription stands; later members go on where the group is."""
    async with opened(server, begin="newest") as (rig, _):
        await rig.publish("before")
        async with rig.member() as member:
            await rig.publish("after")
            assert ids(await receive(member, 1)) == ["after"]


async def test_one_subscription_may_have_several_topics(server: ValkeyServer) -> None:
    """It hears of each, whichever comes first."""
    async with opened(server) as (rig, _):
        other = f"{rig.topic}.other"
        async with rig.bus.subscribe("g", [rig.topic, other]) as member, trio.open_nursery() as nursery:
            heard: list[str] = []

            async def listen() -> None:
                for _ in range(2):
                    received = await receive(member, 1)
                    heard.extend(ids(received))
                    await member.commit(received)

            nursery.start_soon(listen)
            await trio.testing.wait_all_tasks_blocked(0.05)
            await rig.bus.publish([rig.event("a", topic=other)])
            await rig.publish("b")
        assert sorted(heard) == ["a", "b"]


async def test_what_redis_refuses_is_not_waited_for(server: ValkeyServer) -> None:
    """A key of another type will not mend itself."""
    async with opened(server) as (rig, link):
        await link.execute("SET", keys.topic_log(rig.topic), "no stream")
        with pytest.raises(BusRefused, match="WRONGTYPE"):
            await rig.publish("a")


async def test_a_server_that_stays_away_is_told_to_the_publisher() -> None:
    """After the transport's own patience."""
    link = open_link("unix:///nonexistent/valkey.sock")
    with pytest.raises(BusUnavailable):
        await RedisBus(link).publish([BusUnderTest(MemoryBus(), pause=None, resume=lambda: None).event("a")])
    await link.aclose()


def test_the_keys_of_a_topic_share_a_slot() -> None:
    """A script may touch them all on a Cluster, and no queue's keys are among them."""
    slots = {slot_of(key) for key in (keys.topic_log("a.b"), keys.topic_ids("a.b"), keys.topic_aside("a.b"))}
    assert len(slots) == 1


async def test_what_is_set_aside_in_redis_is_bounded_and_readable(server: ValkeyServer) -> None:
    """By any process: the event as it was, the handler and the reason."""
    async with opened(server) as (rig, link):
        aside = RedisAside(link, most=3)
        kept = [SetAside(rig.event(f"e{number}", key="k"), "h", "no number") for number in range(5)]
        for one in kept:
            await aside.put(one)
        assert list(await aside.look(rig.topic)) == kept[2:]
