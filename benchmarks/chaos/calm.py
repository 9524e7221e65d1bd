"""When the faults are over: waiting until nothing is left to do, and asking the server what it has."""

from collections.abc import Iterable
from typing import Any

import trio

from benchmarks.chaos.jobs import QUEUES, wrong_end
from benchmarks.history import Recorder
from penstock.engine import keys
from penstock.engine.errors import StoreUnavailable
from penstock.engine.record import Record, decode_body, describe
from penstock.engine.redis_store import RedisStore
from penstock.engine.transport import Redis

DRAIN_WITHIN = 45.0
"""Seconds that everything submitted may take to end, and every lease of the dead to be taken."""
_LOOK = 0.2
_STAYS = ("job", "events", "counts", "dead", "failures", "schedules")
"""Kinds of keys that a queue may have when all its jobs have ended and all its workers have left."""


async def drained(url: str, workers: int) -> bool:
    """Whether all queues are empty, and nobody but so many workers holds a lease, within the bound."""
    async with Redis(url) as redis:
        with trio.move_on_after(DRAIN_WITHIN):
            while not await _empty(redis, workers):  # noqa: ASYNC110 -- nobody tells
                await trio.sleep(_LOOK)
            return True
    return False


async def _empty(redis: Redis, workers: int) -> bool:
    store = RedisStore(redis)
    try:
        for queue in QUEUES:
            facts = await store.facts(queue)
            leases = await redis.execute("ZCARD", keys.root(queue) + "workers")
            if facts.ready or facts.scheduled or facts.running or leases != workers:
                return False
    except StoreUnavailable:  # it is being started
        return False
    return True


class Final:
    """What the store says of every job, read once nothing moves any more."""

    def __init__(self) -> None:
        self.ended = 0
        self.unended: list[str] = []
        self.missing: list[str] = []
        """Ids that were sent and are not stored: lost, if they were acknowledged."""
        self.wrong: list[str] = []
        """What no job of its kind may end like."""

    async def read(self, url: str, ids: Iterable[tuple[str, str]], cancels: set[str], to: Recorder) -> None:
        """Read each (queue, suffix), and write it into the history; `cancels` somebody asked to cancel."""
        async with Redis(url) as redis:
            store = RedisStore(redis)
            for queue, suffix in ids:
                self._judge(queue, suffix, await store.read(queue, suffix), cancels)
                await to.final(store, queue, [suffix])

    def _judge(self, queue: str, suffix: str, record: Record | None, cancels: set[str]) -> None:
        name = f"{queue}.{suffix}"
        if record is None:
            self.missing.append(name)
        elif not record.header.state.final:
            self.unended.append(name)
        else:
            self.ended += 1
            job = describe(queue, suffix, record, worker=None, started=None)
            may_expire = decode_body(record.body).expires_in > 0
            why = wrong_end(job, cancel_asked=name in cancels, may_expire=may_expire)
            if why is not None:
                self.wrong.append(f"{name} ({job.job}) {why}")


async def left_over(url: str) -> list[str]:
    """Keys that nobody has removed though nothing needs them any more."""
    names, cursor = set[str](), b"0"
    async with Redis(url) as redis:
        while True:
            reply: Any = await redis.execute("SCAN", cursor, "COUNT", 1000)
            cursor = reply[0]
            names.update(name.decode() for name in reply[1])
            if cursor == b"0":
                break
    kinds = {name: name.partition("}:")[2].partition(":")[0] for name in names if "}:" in name}
    return sorted(name for name, kind in kinds.items() if kind not in _STAYS)
