"""The role of telling about a queue: one process has it at a time, and it gets lost with nobody."""

import trio

from penstock.engine.redis_store import RedisStore
from penstock.engine.transport import Redis, Script
from support.redis_server import ValkeyServer
from support.stores import LEASE, QueueUnderTest, RedisHarness, redis_harness


async def told(queue: QueueUnderTest, reporter: str, lease: int = LEASE) -> bool:
    """Whether `reporter` is told the facts, which are those that anybody may read."""
    facts = await queue.store.report(queue.name, reporter, lease)
    assert facts in (None, await queue.store.facts(queue.name))
    return facts is not None


async def test_one_reports_as_long_as_it_asks(queue: QueueUnderTest) -> None:
    """The first who asks, and it again and again; nobody else."""
    await queue.submit("a", "b")
    await (await queue.worker()).take(1)
    for _ in range(3):
        assert await told(queue, "one")
        assert not await told(queue, "two")
        await queue.advance(LEASE - 1)


async def test_the_role_lasts_as_long_as_it_says(queue: QueueUnderTest) -> None:
    """From the last report on, to the millisecond; asking in vain takes nothing and prolongs nothing."""
    assert await told(queue, "one", 1_000)
    await queue.advance(999)
    assert not await told(queue, "two", 5_000)
    await queue.advance(1)
    assert await told(queue, "two", 5_000)
    await queue.advance(4_999)
    assert not await told(queue, "one")


async def test_a_lease_may_be_shortened(queue: QueueUnderTest) -> None:
    """The last word counts: a process that has learnt how often it is asked says how long that lasts."""
    assert await told(queue, "one", 60_000)
    assert await told(queue, "one", 5_000)
    await queue.advance(5_000)
    assert await told(queue, "two")


async def test_who_was_away_too_long_is_told_no_more(queue: QueueUnderTest) -> None:
    """Unless nobody has taken its place."""
    assert await told(queue, "one")
    await queue.advance(LEASE)
    assert await told(queue, "one")
    await queue.advance(LEASE)
    assert await told(queue, "two")
    assert not await told(queue, "one")


async def test_who_resigns_makes_room_at_once(queue: QueueUnderTest) -> None:
    """The next who asks has the role, which may be the same again."""
    assert await told(queue, "one")
    await queue.store.resign(queue.name, "one")
    assert await told(queue, "two")
    await queue.store.resign(queue.name, "two")
    assert await told(queue, "two")


async def test_nobody_resigns_for_another(queue: QueueUnderTest) -> None:
    """Nor does it matter who resigns from what nobody has."""
    await queue.store.resign(queue.name, "two")
    assert await told(queue, "one")
    for other in ("two", "on", "one ", "one 1"):
        await queue.store.resign(queue.name, other)
    assert not await told(queue, "two")


async def test_every_queue_has_its_own_reporter(queue: QueueUnderTest) -> None:
    """Whoever tells about one need not tell about the other."""
    other = QueueUnderTest(queue.harness)
    assert await told(queue, "one")
    assert await told(other, "two")
    assert not await told(other, "one")
    await queue.store.resign(queue.name, "two")
    assert not await told(other, "one")


async def test_of_many_who_ask_at_once_one_is_told(queue: QueueUnderTest) -> None:
    """Looking who has the role and taking it is one step."""
    answers: list[bool] = []

    async def ask(reporter: str) -> None:
        answers.append(await queue.store.report(queue.name, reporter, LEASE) is not None)

    async with trio.open_nursery() as nursery:
        for number in range(20):
            nursery.start_soon(ask, f"process-{number}")
    assert sorted(answers) == [False] * 19 + [True]


async def test_the_keys_expiry_decides_nothing(server: ValkeyServer) -> None:
    """It comes long after the role has passed on, and only so that nothing is left."""
    async with redis_harness(server.url) as harness, Redis(server.url) as redis:
        queue = QueueUnderTest(harness)
        assert await told(queue, "one", 60_000)
        lives = await redis.execute("PTTL", f"penstock:{{{queue.name}}}:reporter")
        assert isinstance(lives, int)
        assert lives > 5 * 60_000
        await queue.advance(60_000)
        assert await told(queue, "two")


async def test_what_an_older_reaper_leaves_goes_with_the_next_join(server: ValkeyServer) -> None:
    """It knows nothing of slots; they count for nobody, and are swept up."""
    async with Redis(server.url) as redis, redis_harness(server.url) as harness:
        queue = QueueUnderTest(harness)
        slots = f"penstock:{{{queue.name}}}:slots"
        await queue.store.join(queue.name, "victim", LEASE, 4)
        await queue.advance(LEASE)
        await _older_reaper(redis, queue.name)
        assert await redis.execute("HGETALL", slots) == [b"victim", b"4"]
        assert (await queue.store.facts(queue.name)).slots == 0
        await queue.store.join(queue.name, "heir", LEASE, 2)
        assert await redis.execute("HGETALL", slots) == [b"heir", b"2"]


async def _older_reaper(redis: Redis, queue: str) -> None:
    """Reap as a version did that had no slots."""
    harness = RedisHarness(redis)
    assert isinstance(harness.store, RedisStore)
    reap, forgetting = harness.store._scripts["reap"].source, "redis.call('HDEL', SLOTS, worker)"
    assert reap.count(forgetting) == 1
    harness.store._scripts["reap"] = Script("reap", reap.replace(forgetting, ""))
    await QueueUnderTest(harness, queue).reap()
