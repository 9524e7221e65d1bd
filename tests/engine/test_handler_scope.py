"""The jobs that a consumer runs without waiting in between share a cancel scope; none notices the others."""

from collections.abc import AsyncGenerator, Callable

import anyio
import msgspec
import pytest
import trio
from trio.testing import MockClock

from penstock.engine import JobContext, Module, Observers, Registry, Seams, WorkerSettings
from penstock.engine.consumer import consume
from penstock.engine.events import JobFinished
from penstock.engine.handler_scope import GRAIN
from penstock.engine.held import Held
from penstock.engine.memory_store import MemoryStore
from penstock.engine.names import split_job_id
from penstock.engine.outcome import Succeeded, outcome_name
from penstock.engine.request import Request
from penstock.engine.runner import Runner
from penstock.engine.shift import Shift
from support.stores import LEASE
from support.work import Ears, virtual_clock, working

QUEUE = "default"


class OneGo:
    """One consumer whose buffer holds all of its jobs, so that it runs them without a wait of its own."""

    def __init__(self, module: Module) -> None:
        self.ears = Ears()
        self._store = MemoryStore(virtual_clock)
        self._module = module
        self._seams = Seams(Observers(self.ears))
        settings = WorkerSettings(concurrency=20)
        self._shift = Shift(self._store, [QUEUE], "worker-1", settings, self._seams)

    async def run(self, *requests: Request) -> list[str]:
        """Run them to the end; how each ended."""
        async with working(self._module, self._store) as rig:
            await rig.client.submit_many(requests)
        await self._store.join(QUEUE, "worker-1", LEASE, 20)
        claim = await self._store.claim(QUEUE, "worker-1", 1, 20, suspect=False, idle=False)
        assert claim is not None
        for claimed in claim.jobs:
            self._shift.take(Held(QUEUE, claimed, 1, claim.now, trio.current_time()))
        self._shift.buffer.close()
        await consume(self._shift, Runner(Registry([self._module]), self._seams))
        return [outcome_name(event.attempt.outcome) for event in self.ears.of(JobFinished)]  # type: ignore[arg-type]

    def cancel(self, job: str) -> None:
        """As when somebody asks for it."""
        self._shift.cancel_job(*split_job_id(job))


def _sleeper(module: Module, name: str, timeout: float) -> Callable[..., Request]:
    @module.job(name=name, timeout=timeout, retries=0)
    async def sleep(ctx: JobContext, seconds: float = 1e6) -> None:
        await trio.sleep(seconds)

    return sleep.request


async def test_a_job_behind_one_that_ran_too_long_has_all_of_its_time(autojump_clock: MockClock) -> None:
    """A timeout ends one job, not those behind it."""
    module = Module("m")
    sleep = _sleeper(module, "sleep", 5)

    outcomes = await OneGo(module).run(*map(sleep, (4, 60, 4, 60, 60, 4, 4)))

    dead, done = "dead", "succeeded"
    assert outcomes == [done, dead, done, dead, dead, done, done]


async def test_a_handler_may_wait_until_its_own_deadline_and_no_longer(autojump_clock: MockClock) -> None:
    """The deadline that a handler sees is its own: so an outgoing call knows how long it may take."""
    module, left = Module("m"), list[float]()

    async def look(ctx: JobContext) -> None:
        left.append(anyio.current_effective_deadline() - trio.current_time())
        await trio.sleep(0.25)

    long = module.job(name="long", timeout=64)(look)
    short = module.job(name="short", timeout=0.5)(look)
    endless = module.job(name="endless", timeout=float("inf"))(look)

    await OneGo(module).run(*(job.request() for _ in range(4) for job in (long, short, endless)))

    for seconds, seen in zip((64, 0.5, float("inf")) * 4, left, strict=True):
        assert seconds <= seen + 1e-9
        assert seen <= seconds * (1 + GRAIN) + 1e-9


async def test_a_job_that_ended_after_its_deadline_does_not_pass_it_on(autojump_clock: MockClock) -> None:
    """A handler that shields itself ends as it likes; the next one is not cancelled."""
    module = Module("m")

    @module.job(timeout=5, retries=0)
    async def stubborn(ctx: JobContext) -> None:
        with trio.CancelScope(shield=True):
            await trio.sleep(9)

    outcomes = await OneGo(module).run(stubborn.request(), _sleeper(module, "sleep", 5)(4))

    assert outcomes == ["succeeded"] * 2


@pytest.mark.parametrize("shielded", [False, True])
async def test_a_cancelled_job_does_not_pass_it_on(autojump_clock: MockClock, shielded: bool) -> None:
    """Cancelled on request a job ends, now or when it likes; the next one is not cancelled with it."""
    module = Module("m")

    @module.job(timeout=60)
    async def cancelled(ctx: JobContext) -> None:
        one.cancel(ctx.id)
        with trio.CancelScope(shield=shielded):
            await trio.sleep(1)

    one = OneGo(module)
    outcomes = await one.run(cancelled.request(), _sleeper(module, "sleep", 60)(1))

    assert outcomes == ["succeeded" if shielded else "cancelled", "succeeded"]


async def test_a_consumer_that_waits_is_bound_by_no_timeout(autojump_clock: MockClock) -> None:
    """Minutes after a job with a short timeout the consumer takes the next one."""
    module = Module("m")
    brief = _sleeper(module, "brief", 0.5)

    async with working(module) as rig:
        await rig.start_worker(concurrency=1)
        for _ in range(3):
            receipt = await rig.client.submit_request(brief(0.1))
            assert await rig.client.result(receipt, timeout=10) is None
            await trio.sleep(100)


async def test_a_handler_that_leaves_a_scope_open_costs_no_other_its_result(
    autojump_clock: MockClock,
) -> None:
    """A generator left inside `with move_on_after(…)` is Trio's classical trap; it is told."""
    module, kept = Module("m"), list[AsyncGenerator[None]]()

    async def generate() -> AsyncGenerator[None]:
        with trio.move_on_after(1000):
            yield

    @module.job
    async def careless(ctx: JobContext) -> None:
        kept.append(generate())
        await anext(kept[-1])

    one = OneGo(module)
    with pytest.raises(RuntimeError, match="Cancel scope stack corrupted"):
        await one.run(careless.request(), _sleeper(module, "sleep", 60)(5))

    assert [event.attempt.outcome for event in one.ears.of(JobFinished)] == [
        Succeeded(msgspec.Raw(b"\xc0"))
    ] * 2
    for each in kept:
        await each.aclose()
