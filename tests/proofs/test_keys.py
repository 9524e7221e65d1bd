"""Every key has a row in ARCHITECTURE.md and an owner who removes it: what a whole run leaves is counted."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from typing import Any

import pytest
import trio

from penstock.engine import (
    Backoff,
    Client,
    Dead,
    JobContext,
    Module,
    Observers,
    Registry,
    Request,
    Seams,
    Worker,
    WorkerSettings,
    reaper,
    redis_store,
    settler,
)
from penstock.engine.errors import JobNotFound
from penstock.engine.events import JobParked, JobStarted, WorkersReaped
from penstock.engine.periodic_store import Declared
from penstock.engine.redis_store import RedisStore
from penstock.engine.store import NewJob
from penstock.engine.transport import Redis, Script
from proofs.key_table import keys_seen, table
from support.redis_server import ValkeyServer
from support.work import Ears

KEPT = 0.3
"""Seconds that records of ended jobs are kept here, dead letters too."""
STAYS = {f"penstock:{{q}}:{name}" for name in ("counts", "events", "dead", "failures", "schedules")} | {
    "penstock:queues"
}
"""Numbers that must never start again, last endings, dead letters until the next burial, failures, where
schedules stand, queues."""

known, unheard_of = Module("known"), Module("unheard_of")


@known.job(queue="q", result_ttl=KEPT)
async def fine(ctx: JobContext) -> None: ...


@known.job(queue="q", result_ttl=KEPT, retries=1, backoff=Backoff(base=0.01))
async def again(ctx: JobContext) -> None:
    if ctx.attempt == 1:
        raise ValueError("the first attempt fails")


@known.job(queue="q")
async def doomed(ctx: JobContext) -> None:
    raise Dead("it is over")


@known.job(queue="q", result_ttl=KEPT)
async def endless(ctx: JobContext) -> None:
    await trio.sleep_forever()


@unheard_of.job(queue="q", result_ttl=KEPT)
async def strange(ctx: JobContext) -> None: ...


@pytest.fixture
async def store(own_server: ValkeyServer, monkeypatch: pytest.MonkeyPatch) -> AsyncGenerator[RedisStore]:
    """A store that keeps nothing for long."""
    monkeypatch.setattr(settler, "DEAD_TTL", KEPT)
    monkeypatch.setattr(settler, "PARK_SECONDS", 0.05)
    monkeypatch.setattr(reaper, "DEAD_TTL", KEPT)
    monkeypatch.setattr(redis_store, "RESULT_TTL", KEPT)
    async with Redis(own_server.url) as redis:
        store = RedisStore(redis)
        claim = store._scripts["claim"].source
        short = claim.replace("CANCELLED_KEPT = 86400000", f"CANCELLED_KEPT = {KEPT * 1000:.0f}")
        assert short != claim
        store._scripts["claim"] = Script("claim", short)
        yield store


def requests() -> list[Request]:
    """Jobs of every fate, of several tenants and priorities, under keys of both kinds."""
    of_tenants = [
        job.using(tenant=tenant, priority=priority).request()
        for job in (fine, again, doomed)
        for tenant in (None, "acme", "übrige")
        for priority in (0, 9)
    ]
    return [
        *of_tenants,
        fine.using(unique_key="u").request(),
        fine.using(unique_key="u", delay=0.01).request(),
        again.using(unique_key="v", tenant="acme").request(),
        *[fine.using(idempotency_key="i").request()] * 2,
        fine.using(delay=0.05).request(),
        fine.using(expires_in=0.001).request(),
        strange.request(),
    ]


@asynccontextmanager
async def worker_on(store: RedisStore, ears: Ears, *modules: Module) -> AsyncGenerator[Worker]:
    """A worker that is drained at the block's end."""
    settings = WorkerSettings(lease=1, concurrency=8)
    worker = Worker(store, Registry(modules), ["q"], settings, Seams(Observers(ears)))
    async with trio.open_nursery() as nursery:
        await nursery.start(worker.run)
        yield worker
        worker.drain()


async def relay_something(store: RedisStore) -> None:
    """A relay hands endings on, cannot read one, and is not needed any more."""
    await store.outbox.enlist("q", "history", 1000)
    for name in ("told", "garbled"):
        await store.submit("q", [NewJob(name, b"")])
        await store.cancel("q", name)
    taken = await store.outbox.take("q", "history", "relay", 100, 1000)
    assert taken is not None
    told, garbled = taken.entries
    await store.outbox.acknowledge("q", "history", [told.id])
    await store.outbox.set_aside("q", "history", [garbled.id])
    await store.outbox.withdraw("q", "history")


async def run_everything(store: RedisStore) -> None:
    """Every kind of end, on a queue whose workers come, crash, drain and listen."""
    ears = Ears()
    await relay_something(store)
    await store.schedules.attend("q", [Declared(name="known.nightly", next=0, text=b"{}")])
    async with Client(store) as client:
        crashed = [await client.submit(fine), await client.submit(again)]
        await store.join("q", "crashed", 500, 2)
        await store.report("q", "crashed too", 50)
        await store.claim("q", "crashed", 1, 2, suspect=True, idle=True)
        in_line, waiting = await client.submit(fine), await client.submit(fine.using(delay=3600))
        await client.cancel(in_line.id)
        await client.cancel(waiting.id)
        receipts = await client.submit_many(requests())
        running = await client.submit(endless)
        async with worker_on(store, ears, known):
            await ears.wait_for(JobStarted, where=lambda event: event.attempt.job == endless.name)
            await client.cancel(running.id)
            await ears.wait_for(JobParked)
            await ears.wait_for(WorkersReaped, where=lambda event: event.returned == len(crashed))
        async with worker_on(store, ears, known, unheard_of):
            for receipt in (*crashed, *receipts):
                with suppress(JobNotFound):  # it has ended, and its record is gone
                    await client.wait(receipt.id)


async def test_a_whole_run_leaves_only_what_is_documented(
    own_server: ValkeyServer, store: RedisStore
) -> None:
    """Every key that was written has a row; every row was written; in the end only six keys are there."""
    async with keys_seen(own_server) as seen:
        await run_everything(store)
        with trio.fail_after(20):
            while (left := await _keys(store.redis)) - STAYS:  # noqa: ASYNC110 - expiry tells nobody
                await trio.sleep(0.02)

    rows = [row for row in table() if row.type != "channel"]
    assert [key for key in seen if sum(row.matches(key) for row in rows) != 1] == []
    assert [row.key for row in rows if not any(map(row.matches, seen))] == []
    assert left == STAYS


def test_every_key_has_somebody_who_writes_it_and_somebody_who_deletes_it() -> None:
    """No cell of the table is empty, and there is a table."""
    rows = table()
    assert len(rows) > 10
    assert [row for row in rows if not all(row)] == []


async def _keys(redis: Any) -> set[str]:
    return {key.decode() for key in await redis.execute("KEYS", "*")}
