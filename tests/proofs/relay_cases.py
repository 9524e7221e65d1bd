"""One call of every script for relays, for the table in `cases`."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from conformance.test_twice import Case, Send
from penstock.engine.outbox import Outbox
from penstock.engine.redis_store import RedisStore
from support.stores import LEASE, Hand, QueueUnderTest

SINK, RELAY, SILENCE = "history", "relay-1", 60_000


def outbox_of(queue: QueueUnderTest) -> Outbox:
    """The door for relays of the store under test."""
    assert isinstance(queue.store, RedisStore)
    return queue.store.outbox


async def _with_endings(queue: QueueUnderTest, worker: Hand) -> list[str]:
    """Two endings are with a relay; their ids."""
    outbox = outbox_of(queue)
    await outbox.enlist(queue.name, SINK, 1000)
    for claimed in await worker.take(2):
        await worker.end(claimed)
    taken = await outbox.take(queue.name, SINK, RELAY, 100, SILENCE)
    assert taken is not None
    return [entry.id for entry in taken.entries]


async def enlist(queue: QueueUnderTest, worker: Hand) -> Send:
    return lambda: outbox_of(queue).enlist(queue.name, SINK, 1000)


async def take(queue: QueueUnderTest, worker: Hand) -> Send:
    await _with_endings(queue, worker)
    await queue.store.cancel(queue.name, "c")
    await queue.advance(SILENCE)
    await queue.store.join(queue.name, worker.name, LEASE)

    async def suffixes() -> Any:
        """Without the ids, which tell the time."""
        taken = await outbox_of(queue).take(queue.name, SINK, "relay-2", 100, SILENCE)
        assert taken is not None
        return taken.now, taken.behind, taken.since, [entry.suffix for entry in taken.entries]

    return suffixes


async def acknowledge(queue: QueueUnderTest, worker: Hand) -> Send:
    ids = await _with_endings(queue, worker)
    return lambda: outbox_of(queue).acknowledge(queue.name, SINK, ids)


async def set_aside(queue: QueueUnderTest, worker: Hand) -> Send:
    ids = await _with_endings(queue, worker)
    return lambda: outbox_of(queue).set_aside(queue.name, SINK, ids)


async def retire(queue: QueueUnderTest, worker: Hand) -> Send:
    await _with_endings(queue, worker)
    return lambda: outbox_of(queue).retire(queue.name, SINK, RELAY)


async def withdraw(queue: QueueUnderTest, worker: Hand) -> Send:
    await _with_endings(queue, worker)
    return lambda: outbox_of(queue).withdraw(queue.name, SINK)


async def backlog(queue: QueueUnderTest, worker: Hand) -> Send:
    await _with_endings(queue, worker)
    return lambda: outbox_of(queue).backlog(queue.name)


CASES: Mapping[str, Sequence[Case]] = {
    "acknowledge": [acknowledge],
    "backlog": [backlog],
    "enlist": [enlist],
    "retire": [retire],
    "set_aside": [set_aside],
    "take": [take],
    "withdraw": [withdraw],
}
SECOND_ANSWERS: Mapping[Case, Callable[[QueueUnderTest], Any]] = {
    acknowledge: lambda queue: 0,
    enlist: lambda queue: False,
    set_aside: lambda queue: 0,
    withdraw: lambda queue: None,
}
