"""One call of every script, on a queue that has been set up for it, and a look at all that it leaves."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pytest

import conformance.test_twice as twice
from conformance.test_twice import Case, Send
from penstock.engine.job import FINAL, JobState
from penstock.engine.redis_store import RedisStore
from penstock.engine.store import Terms
from penstock.engine.transport import Redis
from proofs import relay_cases, schedule_cases
from support.stores import LEASE, Hand, QueueUnderTest, new_job

QUEUE = "q"


async def facts(queue: QueueUnderTest, worker: Hand) -> Send:
    await worker.take(2)
    return lambda: queue.store.facts(queue.name)


async def look(queue: QueueUnderTest, worker: Hand) -> Send:
    await worker.take(2)
    return lambda: queue.store.look(queue.name, "a")


async def submit_one(queue: QueueUnderTest, worker: Hand) -> Send:
    return lambda: queue.store.submit(queue.name, [new_job("x")])


async def submit_one_for_later(queue: QueueUnderTest, worker: Hand) -> Send:
    return lambda: queue.store.submit(queue.name, [new_job("x", delay=30)])


async def submit_one_with_a_unique_key(queue: QueueUnderTest, worker: Hand) -> Send:
    return lambda: queue.store.submit(queue.name, [new_job("x", unique="k")])


async def submit_the_last_one(queue: QueueUnderTest, worker: Hand) -> Send:
    ready = (await queue.store.facts(queue.name)).ready
    return lambda: queue.store.submit(queue.name, [new_job("x")], Terms(most=ready + 1))


async def submit_until_full(queue: QueueUnderTest, worker: Hand) -> Send:
    ready = (await queue.store.facts(queue.name)).ready
    jobs = [new_job("x"), new_job("y", unique="k")]
    return lambda: queue.store.submit(queue.name, jobs, Terms(most=ready + len(jobs)))


async def memory(queue: QueueUnderTest, worker: Hand) -> Send:
    async def limit() -> object:
        assert isinstance(queue.store, RedisStore)
        used, most, most_endings = await queue.store._call("memory", queue.name)
        return used > 0, most, most_endings

    return limit


CASES: Mapping[str, Sequence[Case]] = {
    "cancel": [twice.cancel_waiting, twice.cancel_scheduled, twice.cancel_running, twice.cancel_final],
    "claim": [twice.claim, twice.empty_claim],
    "facts": [facts],
    "heartbeat": [twice.heartbeat],
    "join": [twice.join],
    "leave": [twice.leave],
    "look": [look],
    "memory": [memory],
    "nudge": [twice.nudge],
    "promote": [twice.promote],
    "reap": [twice.reap],
    "release": [twice.release],
    "report": [twice.report, twice.report_in_vain],
    "resign": [twice.resign],
    "return_claim": [twice.return_claim],
    "settle": [twice.settle_finally, twice.settle_for_now, twice.settle_failed],
    "submit": [twice.submit, submit_one_with_a_unique_key, submit_until_full],
    "submit_one": [submit_one, submit_one_for_later, submit_the_last_one],
    **relay_cases.CASES,
    **schedule_cases.CASES,
}
"""By the name of the script."""

SECOND_ANSWERS: Mapping[Case, Callable[[QueueUnderTest], Any]] = {
    **dict(twice.SPENT),
    **relay_cases.SECOND_ANSWERS,
    **schedule_cases.SECOND_ANSWERS,
}
"""Of those that tell what this call did: what they say when it had been done before."""


def cases_of(*scripts: str) -> list[Any]:
    """Parameters (script, case), named; of all scripts where none is given."""
    return [
        pytest.param(script, case, id=f"{script}-{case.__name__}")
        for script in scripts or CASES
        for case in CASES[script]
    ]


async def set_up(queue: QueueUnderTest) -> Hand:
    """Three ready jobs, a scheduled one, and a worker that holds nothing."""
    return await twice._set_up(queue)


async def everything_stored(redis: Redis) -> dict[str, object]:
    """Every key of the server, all it holds, and whether it expires; without the ids of stream entries."""
    read: dict[bytes, Callable[[bytes], tuple[str | bytes | int, ...]]] = {
        b"string": lambda key: ("GET", key),
        b"list": lambda key: ("LRANGE", key, 0, -1),
        b"set": lambda key: ("SMEMBERS", key),
        b"hash": lambda key: ("HGETALL", key),
        b"zset": lambda key: ("ZRANGE", key, 0, -1, "WITHSCORES"),
        b"stream": lambda key: ("XRANGE", key, "-", "+"),
    }
    found: dict[str, object] = {}
    keys: Any = await redis.execute("KEYS", "*")
    for key in keys:
        kind: Any = await redis.execute("TYPE", key)
        content: Any = await redis.execute(*read[kind](key))
        if kind == b"stream":
            content = [fields for _, fields in content]
        expiry: Any = await redis.execute("PTTL", key)
        found[key.decode()] = (content, expiry >= 0)
    return found


async def endings_of(redis: Redis, queue: str) -> Counter[str]:
    """How often each job of a queue has ended, by the stream of endings."""
    entries: Any = await redis.execute("XRANGE", f"penstock:{{{queue}}}:events", "-", "+")
    return Counter(suffix.decode() for _, fields in entries for suffix in fields[::2])


async def bring_to_an_end(queue: QueueUnderTest) -> None:
    """Whatever state the queue is in: reap, promote and work it off until nothing is left."""
    await queue.advance(LEASE * 10)
    while (await queue.reap()).remaining:
        pass
    await queue.promote()
    heir = await queue.worker()
    while jobs := await heir.take():
        for claimed in jobs:
            assert await heir.end(claimed) == "settled"
    left = await queue.store.facts(queue.name)
    assert (left.ready, left.running, left.scheduled) == (0, 0, 0)


async def assert_each_ended_once(queue: QueueUnderTest, redis: Redis) -> dict[str, JobState]:
    """Every job that is stored has ended, one time; how."""
    root = f"penstock:{{{queue.name}}}:job:"
    keys: Any = await redis.execute("KEYS", root.replace("{", "[{]") + "*")
    stored = [key.decode().removeprefix(root) for key in keys]
    states = {suffix: await queue.state(suffix) for suffix in sorted(stored)}
    assert set(states.values()) <= FINAL
    assert await endings_of(redis, queue.name) == Counter(stored)
    return states
