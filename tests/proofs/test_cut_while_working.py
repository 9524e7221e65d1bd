"""Workers and clients at work while one call of one script is cut off, before it is carried out or after."""

from collections import Counter
from collections.abc import AsyncGenerator, Sequence

import pytest
import trio

from penstock.engine import (
    Backoff,
    Client,
    JobContext,
    Module,
    Observers,
    Receipt,
    Registry,
    Request,
    Seams,
    Worker,
    WorkerSettings,
    scripts,
)
from penstock.engine.attempt import Attempt
from penstock.engine.events import (
    JobFinished,
    JobStarted,
    LeaseLost,
    LoopCrashed,
    SettlementRefused,
)
from penstock.engine.job import JobState
from penstock.engine.names import split_job_id
from penstock.engine.outcome import Succeeded
from penstock.engine.periodic_store import Declared, Firing
from penstock.engine.record import parse_record
from penstock.engine.redis_store import RedisStore
from penstock.engine.transport import Redis
from proofs.cases import endings_of
from support.redis_server import ValkeyServer
from support.resp_proxy import RespProxy, When, resp_proxy
from support.work import Ears

SCRIPTS = scripts.load()
QUEUES = ("one", "two", "three")
"""A worker does most things once a queue: with three, each call has a first, a second and a third time."""
ONCE, TWICE, NEVER = 10, 4, 2
"""Jobs a queue that run once, that fail the first time, and that are cancelled; one more is given back."""
LEASE = 300.0
"""No lease may end, or a second run would be legitimate, and no second heartbeat may come to the rescue."""

module = Module("proofs")


@module.job
async def once(ctx: JobContext) -> None: ...


@module.job(retries=1, backoff=Backoff(base=0.01))
async def twice(ctx: JobContext) -> None:
    if ctx.attempt == 1:
        raise ValueError("the first attempt fails")


lingering = set[str]()


@module.job
async def linger(ctx: JobContext) -> None:
    """Stay until given back; the next worker finds nothing left to do."""
    if ctx.id not in lingering:
        lingering.add(ctx.id)
        await trio.sleep_forever()


@pytest.fixture
async def proxy(server: ValkeyServer) -> AsyncGenerator[RespProxy]:
    """In front of an emptied server."""
    async with Redis(server.url) as redis, resp_proxy(server.socket_path) as running:
        await redis.execute("FLUSHALL")
        for script in SCRIPTS.values():
            await redis.execute("SCRIPT", "LOAD", script.source)
        yield running


class Site:
    """A client, a store for what workers seldom do, and workers one after the other, all behind the proxy."""

    def __init__(self, client: Client, store: RedisStore) -> None:
        self.client = client
        self.store = store
        self.ears = Ears()

    async def enlist(self) -> None:
        """From now on every ending is kept for a sink."""
        for queue in QUEUES:
            await self.store.outbox.enlist(queue, "sink", 1000)

    async def submit(self) -> tuple[list[Receipt], list[Receipt]]:
        """Every queue's jobs: those that are to be worked on, and those that are to be cancelled."""
        alone: list[Receipt] = []
        wanted: list[Request] = []
        unwanted: list[Request] = []
        for queue in QUEUES:
            alone += await self.client.submit_many([linger.using(queue=queue).request()])
            wanted += [once.using(queue=queue).request()] * ONCE + [
                twice.using(queue=queue).request()
            ] * TWICE
            unwanted += [once.using(queue=queue, delay=3600).request()] * NEVER
        together = await self.client.submit_many(wanted)
        return [*alone, *together], await self.client.submit_many(unwanted)

    async def be_given_back(self) -> None:
        """Stop a worker while jobs linger there."""
        async with trio.open_nursery() as nursery:
            worker = self._worker()
            await nursery.start(worker.run)
            await self.ears.wait_for(
                JobStarted, count=len(QUEUES), where=lambda event: _lingers(event.attempt)
            )
            worker.stop()

    async def do_what_workers_seldom_do(self, unwanted: Sequence[Receipt]) -> None:
        """Cancel, look about, nudge, and take a claim that is given back by its number."""
        for receipt in unwanted:
            await self.client.cancel(receipt.id)
        for queue in QUEUES:
            await self.store.facts(queue)
            assert await self.store.report(queue, "hand", 60_000) is not None
            await self.store.resign(queue, "hand")
            await self.store.nudge(queue)
            await self.store.join(queue, "hand", round(LEASE * 1000))
            claim = await self.store.claim(queue, "hand", 1, 1, suspect=True, idle=False)
            assert claim is not None
            assert len(claim.jobs) == 1
            await self.store.return_claim(queue, "hand", 1)
            await self.store.leave(queue, "hand")
            await self._pass_over_a_moment(queue)

    async def _pass_over_a_moment(self, queue: str) -> None:
        """Declare a schedule, fire it without a job, hold it and forget it."""
        schedules, name = self.store.schedules, "proofs.nightly"
        now = (await schedules.attend(queue)).now
        declared = Declared(name=name, next=now - 1, text=b"daily", last=now - 2)
        standing = (await schedules.attend(queue, [declared], new=True)).standings[name]
        assert standing.last == now - 2
        fired = await schedules.fire(queue, Firing(name=name, moment=now - 1, next=now, worker="hand"))
        assert fired.word == "fired"
        await schedules.steer(queue, name, "forget")
        assert not (await schedules.attend(queue)).standings

    async def finish(self, receipts: Sequence[Receipt]) -> None:
        """Let another worker do the rest, and drain it."""
        async with trio.open_nursery() as nursery:
            worker = self._worker()
            await nursery.start(worker.run)
            for receipt in receipts:
                await self.client.wait(receipt.id)
            worker.drain()

    async def relay(self) -> Counter[str]:
        """How often the sink is told of each job's end, when all have ended; one entry is set aside."""
        told, outbox = Counter[str](), self.store.outbox
        for queue in QUEUES:
            taken = await outbox.take(queue, "sink", "relay", 1000, 60_000)
            assert taken is not None
            told += Counter(e.suffix for e in taken.entries if parse_record(e.record).header.state.final)
            ids = [entry.id for entry in taken.entries]
            await outbox.set_aside(queue, "sink", ids[:1])
            await outbox.acknowledge(queue, "sink", ids[1:])
            await outbox.retire(queue, "sink", "relay")
            backlog = await outbox.backlog(queue)
            assert (backlog.aside, backlog.sinks[0].behind, backlog.sinks[0].relays) == (1, 0, 0)
            await outbox.withdraw(queue, "sink")
        return told

    def _worker(self) -> Worker:
        settings, seams = WorkerSettings(concurrency=8, lease=LEASE), Seams(Observers(self.ears))
        return Worker(self.store, Registry([module]), QUEUES, settings, seams)


def _lingers(attempt: Attempt) -> bool:
    return attempt.job == linger.name


@pytest.mark.parametrize("call", [1, 2, 3])
@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("script", SCRIPTS)
async def test_nobody_at_work_notices_a_call_that_is_cut_off(
    proxy: RespProxy, script: str, when: When, call: int
) -> None:
    """Every job ends once, none starts after its end, none runs once more than its own life asks for."""
    proxy.cut(SCRIPTS[script], when, call)
    with trio.fail_after(60):
        async with Redis(proxy.url) as ours, Redis(proxy.url) as theirs, Client(RedisStore(ours)) as client:
            site = Site(client, RedisStore(theirs))
            await site.enlist()
            wanted, unwanted = await site.submit()
            await site.be_given_back()
            await site.do_what_workers_seldom_do(unwanted)
            await site.finish(wanted)
            jobs = [await client.get(receipt.id) for receipt in (*wanted, *unwanted)]
            ended = Counter[str]()
            for queue in QUEUES:
                ended += await endings_of(ours, queue)
            told = await site.relay()

    assert proxy.cuts == 1
    states = Counter(job.state for job in jobs if job is not None)
    assert states == {JobState.SUCCEEDED: len(wanted), JobState.CANCELLED: len(unwanted)}
    assert ended == Counter(split_job_id(receipt.id)[1] for receipt in (*wanted, *unwanted))
    assert told == ended
    assert_history(site.ears, wanted)


def assert_history(ears: Ears, wanted: Sequence[Receipt]) -> None:
    """What the workers did, in its order."""
    starts, over = Counter[str](), set[str]()
    for event in ears.heard:
        if isinstance(event, JobStarted):
            assert event.attempt.id not in over
            starts[event.attempt.id] += 1
        if isinstance(event, JobFinished) and isinstance(event.attempt.outcome, Succeeded):
            over.add(event.attempt.id)
        assert not isinstance(event, LeaseLost | LoopCrashed | SettlementRefused)
    assert starts == {receipt.id: 1 if receipt.job == once.name else 2 for receipt in wanted}
    assert over == set(starts)
