"""A server that is killed, stays away for longer than every lease, and comes back with its data."""

from collections import Counter
from typing import Any

import trio

from penstock.engine import (
    Client,
    JobContext,
    JobState,
    Module,
    Observers,
    Registry,
    Seams,
    Worker,
    WorkerSettings,
)
from penstock.engine.events import JobFinished, JobStarted, LeaseLost, SettlementRefused, WorkersReaped
from penstock.engine.outcome import Succeeded
from penstock.engine.redis_store import RedisStore
from penstock.engine.transport import Redis
from support.redis_server import ValkeyServer
from support.stores import START
from support.work import Ears

LEASE = 3
QUEUE = "default"


class Clock:
    """The server's clock, which stands still unless it is moved."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._now = START

    async def advance(self, seconds: float) -> None:
        self._now += round(seconds * 1000)
        await self._redis.execute("SET", "penstock:clock", self._now)

    async def everybody_has_looked(self) -> None:
        """Return when, by this clock's present, somebody has reaped and two workers have beaten."""
        with trio.fail_after(30):
            while not await self._seen():  # noqa: ASYNC110 - nobody tells
                await trio.sleep(0.02)

    async def _seen(self) -> bool:
        root = f"penstock:{{{QUEUE}}}:"
        reaped: Any = await self._redis.execute("HGET", f"{root}counts", "reaped")
        fresh = self._now + LEASE * 1000
        beaten: Any = await self._redis.execute("ZRANGEBYSCORE", f"{root}workers", fresh, fresh)
        return int(reaped or 0) == self._now and len({*beaten} - {b"gone"}) == 2


async def test_a_restart_revokes_only_who_is_gone(valkey: ValkeyServer) -> None:
    """Workers that live get one lease to beat; a dead one loses its job after that, and not before."""
    module, ears, free = Module("proofs"), Ears(), trio.Event()

    @module.job
    async def hold(ctx: JobContext) -> None:
        await free.wait()

    async with Redis(valkey.url) as redis, Client(RedisStore(redis, test_clock=True)) as client:
        clock = Clock(redis)
        await clock.advance(0)
        [left_behind] = await client.submit_many([hold.request()])
        await client.store.join(QUEUE, "gone", LEASE * 1000)
        await client.store.claim(QUEUE, "gone", 1, 1, suspect=True, idle=False)
        receipts = await client.submit_many([hold.request()] * 8)
        settings, seams = WorkerSettings(lease=LEASE, concurrency=4), Seams(Observers(ears))
        workers = [Worker(client.store, Registry([module]), None, settings, seams) for _ in range(2)]
        async with trio.open_nursery() as nursery:
            for worker in workers:
                await nursery.start(worker.run)
            await ears.wait_for(JobStarted, count=8)
            await clock.everybody_has_looked()

            valkey.restart()
            await clock.advance(3 * LEASE)
            await clock.everybody_has_looked()
            for _ in range(LEASE - 1):
                await clock.advance(1)
                await clock.everybody_has_looked()
            assert ears.of(WorkersReaped) == []
            await clock.advance(1)
            [reaping] = await ears.wait_for(WorkersReaped)
            free.set()
            jobs = [await client.wait(receipt.id) for receipt in (*receipts, left_behind)]
            nursery.cancel_scope.cancel()

    assert (reaping.revoked, reaping.returned) == (["gone"], 1)
    assert [(job.state, job.crashes) for job in jobs[:-1]] == [(JobState.SUCCEEDED, 0)] * 8
    assert (jobs[-1].state, jobs[-1].crashes) == (JobState.SUCCEEDED, 1)
    outcomes = Counter(type(event.attempt.outcome) for event in ears.of(JobFinished))
    assert outcomes == {Succeeded: 9}
    assert ears.of(LeaseLost) == []
    assert ears.of(SettlementRefused) == []
