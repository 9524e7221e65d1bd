"""`ctx.cache`: the cache of the job's own module, found when a job asks for it and not before."""

from collections.abc import AsyncIterator, Mapping
from typing import Any

import pytest
import trio
from trio.testing import MockClock

from penstock.engine import PROVIDED, Job, JobContext, Module, Registry, Worker
from penstock.engine.cache import Cache, MemoryCacheStore
from penstock.engine.errors import ConfigurationError
from penstock.engine.job import JobState
from penstock.engine.job_cache import JobCache
from penstock.engine.job_definition import JobDefinition
from penstock.engine.resources import Resources
from support.work import working


def context(module: str, resources: Resources) -> JobContext:
    """A context as tests of handlers make it."""
    return JobContext(
        id="orders.1",
        job=f"{module}.pay",
        module=module,
        queue="orders",
        attempt=1,
        max_attempts=1,
        tenant=None,
        user=None,
        worker="w",
        headers={},
        submitted_at=0.0,
        resources=resources,
    )


async def run(module: Module, job: JobDefinition[[], Any], provided: Mapping[type[Any], object]) -> Job:
    """The job once a worker with these resources has run it."""
    async with working(module) as rig:
        await rig.nursery.start(Worker(rig.store, Registry([module]), provided=provided).run)
        receipt = await rig.client.submit(job)
        return await rig.client.wait(receipt.id, 60)


async def test_it_is_the_cache_that_a_parameter_of_its_type_is_given(autojump_clock: MockClock) -> None:
    """Of the same module: what is kept by one is read by the other."""
    module, cache, loads = Module("shop"), Cache(MemoryCacheStore()), list[str]()

    async def load() -> float:
        loads.append("rate")
        await trio.sleep(1)
        return 1.5

    @module.job(retries=0)
    async def pay(ctx: JobContext, given: Cache = PROVIDED) -> list[float | None]:
        loaded = await ctx.cache.get_or_load("rate", load, ttl=60, type=float)
        return [loaded, await given.get("rate", type=float), await ctx.cache.get("rate", type=float)]

    job = await run(module, pay, {Cache: cache})
    assert job.result == [1.5, 1.5, 1.5]
    assert loads == ["rate"]
    assert await cache.for_module("shop").get("rate", type=float) == 1.5
    assert await cache.for_module("till").get("rate", type=float) is None


async def test_one_that_a_lifespan_yields_is_it(autojump_clock: MockClock) -> None:
    """As for parameters: whose module opened it does not matter."""
    module, caches = Module("shop"), Module("caches")
    mine = Cache(MemoryCacheStore())

    @caches.lifespan
    async def opened() -> AsyncIterator[Cache]:
        yield mine

    @module.job(retries=0)
    async def pay(ctx: JobContext) -> bool:
        return await ctx.cache.set("paid", 7, ttl=60)

    async with working(module) as rig:
        await rig.start_worker(module, caches)
        receipt = await rig.client.submit(pay)
        assert (await rig.client.wait(receipt.id, 60)).result is True
    assert await mine.for_module("shop").get("paid", type=int) == 7


async def test_a_worker_without_one_says_what_to_do(autojump_clock: MockClock) -> None:
    """When a job asks for it; other jobs run."""
    module = Module("shop")

    @module.job(retries=0)
    async def pay(ctx: JobContext) -> None:
        await ctx.cache.delete("rate")

    job = await run(module, pay, {})
    assert job.state is JobState.DEAD
    assert job.error is not None
    assert "shop.pay uses ctx.cache" in job.error.message
    assert "provided={Cache: Cache(store)}" in job.error.message


async def test_a_handler_can_be_called_with_a_cache_of_the_tests_own() -> None:
    """As a plain function, without a worker."""
    module = Module("shop")

    @module.job
    async def pay(ctx: JobContext) -> int | None:
        await ctx.cache.set("paid", 7, ttl=60)
        return await ctx.cache.get("paid", type=int)

    cache = Cache(MemoryCacheStore())
    assert await pay(context("shop", Resources({Cache: cache}))) == 7
    assert await cache.for_module("shop").get("paid", type=int) == 7
    with pytest.raises(ConfigurationError):
        await pay(context("shop", Resources()))


async def test_nobody_looks_for_it_before_a_job_asks(
    autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A job that uses neither cache nor bus pays for neither."""
    module, sought = Module("shop"), list[type[Any]]()

    def find(self: Resources, base: type[Any], module: str) -> None:
        sought.append(base)

    monkeypatch.setattr(Resources, "find", find)

    @module.job(retries=0)
    async def idle(ctx: JobContext) -> None: ...

    @module.job(retries=0)
    async def pay(ctx: JobContext) -> None:
        await ctx.cache.delete("rate")

    assert (await run(module, idle, {})).state is JobState.SUCCEEDED
    assert sought == []
    assert (await run(module, pay, {})).state is JobState.DEAD
    assert sought == [JobCache]


def test_caches_answer_all_that_contexts_promise() -> None:
    """No method of `JobCache` is left unwritten."""
    promised = [name for name in vars(JobCache) if not name.startswith("_")]
    assert promised
    assert [name for name in promised if name not in vars(Cache)] == []
