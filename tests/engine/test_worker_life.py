"""A worker's life: claiming, draining, losing its lease; on virtual time."""

from collections import Counter
from collections.abc import Generator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import trio
from trio.testing import MockClock

from penstock.engine import JobContext, JobState, Module, Observers, Seams
from penstock.engine.attempt import Attempt
from penstock.engine.events import (
    JobFinished,
    JobStarted,
    LeaseLost,
    ObserverFailed,
    Settled,
    SettlementRefused,
    WorkersReaped,
)
from penstock.engine.memory_store import MemoryStore, moving
from penstock.engine.store import Claim, Store
from support.work import Ears, virtual_clock, working


async def test_no_more_jobs_run_at_once_than_the_concurrency_allows(autojump_clock: MockClock) -> None:
    """N consumers run N jobs, all of them and never more."""
    module, now, most = Module("m"), 0, 0

    @module.job
    async def busy(ctx: JobContext) -> None:
        nonlocal now, most
        now += 1
        most = max(most, now)
        await trio.sleep(1)
        now -= 1

    async with working(module) as rig:
        await rig.client.submit_many([busy.request() for _ in range(50)])
        await rig.start_worker(concurrency=7)
        await rig.ears.wait_for(JobFinished, count=50)

    assert most == 7


async def test_jobs_start_in_the_order_they_were_submitted(autojump_clock: MockClock) -> None:
    """Within a queue, priority and tenant: first in, first out; the higher priority before the lower."""
    module, order = Module("m"), list[int]()

    @module.job
    async def note(ctx: JobContext, number: int) -> None:
        order.append(number)

    async with working(module) as rig:
        await rig.client.submit_many([note.request(number) for number in range(20)])
        await rig.client.submit_many([note.using(priority=9).request(number) for number in range(20, 25)])
        await rig.start_worker(concurrency=1)
        await rig.ears.wait_for(JobFinished, count=25)

    assert order == [*range(20, 25), *range(20)]


async def test_a_busy_worker_keeps_no_job_waiting_while_another_is_idle(autojump_clock: MockClock) -> None:
    """After a burst of short jobs has raised the prefetch, a slow stretch gives the prefetched ones back."""
    module, started = Module("m"), dict[int, tuple[float, str]]()

    @module.job
    async def work(ctx: JobContext, number: int, seconds: float) -> None:
        started[number] = trio.current_time(), ctx.worker
        await trio.sleep(seconds)

    async with working(module) as rig:
        await rig.start_worker(concurrency=4)
        await rig.client.submit_many([work.request(number, 0.001) for number in range(400)])
        await rig.ears.wait_for(JobFinished, count=400)
        await rig.client.submit_many([work.request(number, 30.0) for number in range(1000, 1008)])
        await rig.ears.wait_for(JobStarted, count=404)
        submitted = trio.current_time()
        await rig.start_worker(concurrency=4)
        await rig.ears.wait_for(JobStarted, count=408)

    late = [at - submitted for number, (at, _) in started.items() if number >= 1000]
    assert max(late) < 0.25
    assert len({worker for number, (_, worker) in started.items() if number >= 1000}) == 2


async def test_a_worker_that_lost_its_lease_stops_its_handlers_and_goes_on_under_a_new_id(
    autojump_clock: MockClock,
) -> None:
    """What the reaper took from it ends once, and the worker is of use again."""
    module, cancelled = Module("m"), list[str]()

    @module.job
    async def work(ctx: JobContext) -> str:
        try:
            await trio.sleep(15)
        except trio.Cancelled:
            cancelled.append(ctx.worker)
            raise
        return ctx.worker

    async with working(module) as rig:
        await rig.start_worker(lease=30)
        receipt = await rig.client.submit(work)
        await rig.ears.wait_for(JobStarted)
        _revoke(rig.store)
        [lost] = await rig.ears.wait_for(LeaseLost)
        job = await rig.client.wait(receipt.id, 120)

    assert cancelled == [lost.worker]
    assert job.state is JobState.SUCCEEDED
    assert job.result != lost.worker
    assert job.crashes == 1


async def test_a_late_settlement_changes_nothing_and_is_reported(autojump_clock: MockClock) -> None:
    """A handler that ends after its job was taken over: refused, told, and the other result stands."""
    module = Module("m")

    @module.job
    async def stubborn(ctx: JobContext) -> str:
        if len(rig.ears.of(JobStarted)) > 1:
            return "another"
        with trio.CancelScope(shield=True):  # does not notice that its lease is lost
            await trio.sleep(100)
        return "late"

    async with working(module) as rig:
        await rig.start_worker(lease=30)
        receipt = await rig.client.submit(stubborn)
        await rig.ears.wait_for(JobStarted)
        _revoke(rig.store)
        await rig.start_worker(lease=30)
        await rig.ears.wait_for(LeaseLost)
        job = await rig.client.wait(receipt.id, 10)
        assert job.result == "another"
        [refused] = await rig.ears.wait_for(SettlementRefused, within=200)
        assert refused.id == receipt.id
        assert await rig.client.wait(receipt.id) == job


def _revoke(store: Store) -> None:
    """End every lease as a reaper would that saw them expire, between two steps of everybody else."""
    assert isinstance(store, MemoryStore)
    later = virtual_clock() + 1_000_000
    moving.reap(store._queue("default"), later, max_crashes=9, ending=b"", keep=1000, limit=500)


async def test_suspects_run_one_at_a_time(autojump_clock: MockClock) -> None:
    """Jobs that were held by a worker that died are tried alone, so that a second crash names its culprit."""
    module, now, most = Module("m"), 0, 0

    @module.job
    async def work(ctx: JobContext) -> None:
        nonlocal now, most
        now += 1
        most = max(most, now)
        await trio.sleep(1)
        now -= 1

    async with working(module) as rig:
        await rig.store.join("default", "dead", 1000)
        await rig.client.submit_many([work.request() for _ in range(5)])
        await rig.store.claim("default", "dead", 1, 5, suspect=False, idle=False)
        await rig.start_worker(lease=3)
        await rig.ears.wait_for(JobFinished, count=5)
        [reaped] = rig.ears.of(WorkersReaped)

    assert (reaped.revoked, reaped.returned, reaped.dead) == (["dead"], 5, [])
    assert most == 1


async def test_a_job_that_takes_every_worker_down_is_buried(autojump_clock: MockClock) -> None:
    """After `max_crashes` the culprit is a dead letter that says so, and it takes nobody with it."""
    module = Module("m")

    @module.job
    async def poison(ctx: JobContext) -> None: ...

    async with working(module) as rig:
        receipt = await rig.client.submit(poison)
        for victim in ("one", "two"):
            await rig.store.join("default", victim, 1000)
            claim = await rig.store.claim("default", victim, 1, 1, suspect=True, idle=False)
            assert claim is not None
            assert len(claim.jobs) == 1
            await trio.sleep(2)
            await rig.store.reap("default", max_crashes=2, ending=b"", keep=100_000)
        record = await rig.store.read(*receipt.id.split("."))

    assert record is not None
    assert (record.header.state, record.header.crashes) == (JobState.DEAD, 2)


async def test_one_worker_serves_several_queues(autojump_clock: MockClock) -> None:
    """Every queue's jobs are claimed, none starves behind a full one, and a sleeping worker hears of each."""
    module, ran = Module("m"), Counter[str]()

    @module.job(queue="a")
    async def first(ctx: JobContext) -> None:
        ran[ctx.queue] += 1
        await trio.sleep(0.1)

    @module.job(queue="b")
    async def second(ctx: JobContext) -> None:
        ran[ctx.queue] += 1
        await trio.sleep(0.1)

    async with working(module) as rig:
        await rig.start_worker(concurrency=2)
        await rig.client.submit_many([first.request() for _ in range(100)])
        await rig.client.submit_many([second.request() for _ in range(4)])
        await rig.ears.wait_for(JobFinished, where=lambda event: event.attempt.queue == "b", count=4)
        assert ran["a"] < 20
        await rig.ears.wait_for(JobFinished, count=104)
        began = trio.current_time()
        await rig.client.wait((await rig.client.submit(second)).id, 10)
        assert trio.current_time() - began < 0.2


async def test_an_idle_worker_starts_a_job_without_polling(autojump_clock: MockClock) -> None:
    """Submitting wakes it: nothing of the five-second look is in the way."""
    module, at = Module("m"), list[float]()

    @module.job
    async def work(ctx: JobContext) -> None:
        at.append(trio.current_time())

    async with working(module) as rig:
        await rig.start_worker()
        await trio.sleep(7.3)
        submitted = trio.current_time()
        await rig.client.wait((await rig.client.submit(work)).id, 10)

    assert at[0] - submitted < 0.01


async def test_an_observer_that_raises_is_dropped_and_told_of_and_jobs_go_on(
    autojump_clock: MockClock,
) -> None:
    """Broken telemetry costs telemetry, not work."""
    module, ears, calls = Module("m"), Ears(), 0

    @module.job
    async def work(ctx: JobContext) -> None: ...

    def broken(event: object) -> None:
        nonlocal calls
        calls += 1
        raise RuntimeError("no")

    async with working(module) as rig:
        await rig.start_worker(seams=Seams(Observers(broken, ears)))
        for _ in range(3):
            await rig.client.wait((await rig.client.submit(work)).id, 10)

    assert calls == 1
    assert [event.observer.rpartition(".")[2] for event in ears.of(ObserverFailed)] == ["broken"]


async def test_the_scope_of_an_attempt_is_entered_in_the_handlers_own_context() -> None:
    """Context variables set by `around_attempt` are seen by the handler, its children and its threads,
    by nobody else, and its exit is certain. (Real time: threads and the virtual clock do not mix.)"""
    module, seen = Module("m"), dict[str, list[str]]()
    current: ContextVar[str] = ContextVar("current", default="nobody")
    left: list[str] = []

    @contextmanager
    def around(attempt: Attempt) -> Generator[None]:
        token = current.set(attempt.id)
        try:
            yield
        finally:
            assert attempt.outcome is not None
            left.append(attempt.id)
            current.reset(token)

    async def child(into: list[str]) -> None:
        into.append(current.get())

    @module.job
    async def on_the_loop(ctx: JobContext) -> None:
        seen[ctx.id] = [current.get()]
        async with trio.open_nursery() as nursery:
            nursery.start_soon(child, seen[ctx.id])

    @module.job
    def in_a_thread(ctx: JobContext) -> None:
        seen[ctx.id] = [current.get()]

    async with working(module) as rig:
        await rig.start_worker(seams=Seams(Observers(rig.ears), around_attempt=around))
        requests = [job.request() for _ in range(10) for job in (on_the_loop, in_a_thread)]
        receipts = await rig.client.submit_many(requests)
        await rig.ears.wait_for(JobFinished, count=20)
        await rig.ears.wait_for(Settled)

    assert all(set(seen[receipt.id]) == {receipt.id} for receipt in receipts)
    assert sorted(left) == sorted(receipt.id for receipt in receipts)
    assert current.get() == "nobody"


async def test_a_job_that_ends_while_a_claim_is_under_way_does_not_make_the_worker_deaf(
    autojump_clock: MockClock,
) -> None:
    """Full when it asked, free when the answer came: the worker asks again and leaves word to be woken."""
    module, at = Module("m"), list[float]()

    class SlowClaims(MemoryStore):
        async def claim(self, *args: Any, **kwargs: Any) -> Claim | None:
            answer = await super().claim(*args, **kwargs)
            await trio.sleep(0.05)
            return answer

    @module.job
    async def work(ctx: JobContext) -> None:
        at.append(trio.current_time())
        await trio.sleep(0.02)

    async with working(module, SlowClaims(virtual_clock)) as rig:
        await rig.start_worker(concurrency=4)
        for jobs in range(
            200, 210
        ):  # enough to prefetch, so that a full worker asks; ends at various moments
            done = len(at)
            await rig.client.submit_many([work.request() for _ in range(jobs)])
            await rig.ears.wait_for(JobFinished, count=done + jobs)
            await trio.sleep(0.5)
            submitted = trio.current_time()
            await rig.client.submit(work)
            await rig.ears.wait_for(JobFinished, count=done + jobs + 1)
            assert at[-1] - submitted < 0.2


async def test_what_a_handler_sets_in_its_context_is_that_jobs_alone(autojump_clock: MockClock) -> None:
    """The next job of the same consumer finds the context as the first one did."""
    module, seen = Module("m"), list[str]()
    bound: ContextVar[str] = ContextVar("bound", default="nothing")

    @module.job
    async def work(ctx: JobContext, waits: bool) -> None:
        seen.append(bound.get())
        bound.set(ctx.id)
        if waits:
            await trio.sleep(0.1)

    async with working(module) as rig:
        await rig.start_worker(concurrency=1)
        for waits in (True, False, True, False):
            await rig.client.submit(work, waits=waits)
        await rig.ears.wait_for(JobFinished, count=4)

    assert seen == ["nothing"] * 4
