"""Submitting and watching, on the store in memory."""

from collections.abc import Generator, Sequence
from contextlib import contextmanager

import pytest
import trio
from trio.testing import MockClock

from penstock.engine import Dead, Job, JobContext, JobState, Module, Observers, Options, Request, Seams
from penstock.engine.client import Client
from penstock.engine.errors import Conflict, InvalidRequest, JobFailed, JobNotFound
from penstock.engine.events import JobEnqueued
from penstock.engine.memory_store import MemoryStore
from penstock.engine.seams import AroundSubmit
from support.work import working

module = Module("m")
TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


@module.job
async def double(ctx: JobContext, number: int) -> int:
    return 2 * number


@module.job(queue="other", retries=0)
async def fail(ctx: JobContext) -> None:
    raise Dead("on purpose")


async def test_a_receipt_names_the_job_that_was_stored() -> None:
    """The id leads to the job, in its queue, with the arguments as given and the defaults filled in."""
    client = Client(MemoryStore())
    receipt = await client.submit(double.using(tenant="acme", priority=3), number=21)
    job = await client.get(receipt.id)

    assert job is not None
    assert (job.job, job.args, job.tenant, job.priority) == ("m.double", {"number": 21}, "acme", 3)
    assert receipt.id.startswith("default.")
    assert (receipt.state, receipt.duplicate) == ("ready", False)


async def test_receipts_stand_in_the_order_of_their_requests_across_queues() -> None:
    """A mixed batch is sent queue by queue and answered one by one."""
    client = Client(MemoryStore())
    requests = [double.request(1), fail.request(), double.request(2), fail.request()]
    receipts = await client.submit_many(requests)

    assert [receipt.queue for receipt in receipts] == [request.queue for request in requests]
    assert len({receipt.id for receipt in receipts}) == 4


async def test_the_same_idempotency_key_submits_once() -> None:
    """Sending a submission again gives the first job, marked as a duplicate, with the first trace id."""
    client = Client(MemoryStore(), Seams(around_submit=_headers("a" * 32)))
    again = Client(client.store, Seams(around_submit=_headers("b" * 32)))
    first = await client.submit(double.using(idempotency_key="k"), 1)
    second = await again.submit(double.using(idempotency_key="k"), 1)

    assert (second.id, second.duplicate) == (first.id, True)
    assert second.trace_id == first.trace_id == "a" * 32


async def test_an_idempotency_key_does_not_cover_a_different_submission() -> None:
    """The same key with other arguments or another job is a conflict; nothing is stored for it."""
    client = Client(MemoryStore())
    await client.submit(double.using(idempotency_key="k"), 1)
    with pytest.raises(Conflict, match="'k' was used for another submission"):
        await client.submit(double.using(idempotency_key="k"), 2)
    assert (await client.store.facts("default")).ready == 1


async def test_idempotency_keys_of_two_tenants_do_not_meet() -> None:
    """The key is scoped to tenant and queue."""
    client = Client(MemoryStore())
    ids = {
        (await client.submit(double.using(idempotency_key="k", tenant=tenant), 1)).id
        for tenant in (None, "-", "acme")
    }
    assert len(ids) == 3


async def test_headers_from_the_seam_are_stored_and_the_trace_id_is_read_from_them() -> None:
    """Trace context travels in the record, opaque to the engine but for its id."""
    client = Client(MemoryStore(), Seams(around_submit=_headers("4bf92f3577b34da6a3ce929d0e0e4736")))
    receipt = await client.submit(double, 1)
    job = await client.get(receipt.id)

    assert job is not None
    assert job.headers == {"traceparent": TRACE}
    assert job.trace_id == receipt.trace_id == "4bf92f3577b34da6a3ce929d0e0e4736"


def _headers(trace_id: str) -> AroundSubmit:
    @contextmanager
    def around(requests: Sequence[Request]) -> Generator[dict[str, str]]:
        yield {"traceparent": f"00-{trace_id}-00f067aa0ba902b7-01"}

    return around


async def test_observers_hear_of_every_acknowledged_submission() -> None:
    """One event per job, duplicates marked."""
    heard: list[JobEnqueued] = []

    def listen(event: object) -> None:
        assert isinstance(event, JobEnqueued)
        heard.append(event)

    client = Client(MemoryStore(), Seams(Observers(listen)))
    for _ in range(2):
        await client.submit(double.using(idempotency_key="k"), 1)
    assert [(event.job, event.duplicate) for event in heard] == [("m.double", False), ("m.double", True)]


async def test_waiting_ends_with_the_job(autojump_clock: MockClock) -> None:
    """Whoever waits hears of the end at once, however many they are and whenever they began."""
    ended: list[Job] = []

    async with working(module) as rig:
        receipt = await rig.client.submit(double.using(delay=10), 4)

        async def wait() -> None:
            ended.append(await rig.client.wait(receipt.id, 100))

        async with trio.open_nursery() as nursery:
            for _ in range(5):
                nursery.start_soon(wait)
            await rig.start_worker()
        await wait()
        assert trio.current_time() == pytest.approx(10, abs=0.5)

    assert [job.result for job in ended] == [8] * 6


async def test_waiting_no_longer_than_asked_gives_the_job_as_it_is(autojump_clock: MockClock) -> None:
    """A timeout is an answer: the job, not ended."""
    async with working(module) as rig:
        receipt = await rig.client.submit(double, 4)
        job = await rig.client.wait(receipt.id, 3)
        assert job.state is JobState.READY
        assert trio.current_time() == pytest.approx(3, abs=0.1)
        with pytest.raises(TimeoutError, match="is ready after 3 s"):
            await rig.client.result(receipt, 3)


async def test_a_result_that_never_came_is_an_error_that_says_why(autojump_clock: MockClock) -> None:
    """`result` raises with the state, the reason and the job itself."""
    async with working(module) as rig:
        await rig.start_worker()
        receipt = await rig.client.submit(fail)
        with pytest.raises(JobFailed, match=r"is dead.*on purpose") as caught:
            await rig.client.result(receipt, 10)
    assert isinstance(caught.value.job, Job)
    assert caught.value.job.id == receipt.id


async def test_jobs_that_do_not_exist_are_told_apart_from_ids_that_cannot() -> None:
    """Unknown: None or JobNotFound; malformed: InvalidRequest that names the field."""
    async with Client(MemoryStore()) as client:
        unknown = "default." + "0" * 28
        assert await client.get(unknown) is None
        with pytest.raises(JobNotFound):
            await client.wait(unknown, 1)
        with pytest.raises(JobNotFound):
            await client.cancel(unknown)
        with pytest.raises(InvalidRequest) as caught:
            await client.get("nonsense")
        assert caught.value.field == "id"


async def test_a_waiting_job_can_be_cancelled() -> None:
    """It ends as cancelled, leaves the depth at once, and no worker ever runs it."""
    client = Client(MemoryStore())
    receipt = await client.submit(double, 1)
    assert (await client.cancel(receipt.id)).state is JobState.CANCELLED
    assert not (await client.cancel(receipt.id)).changed
    assert (await client.store.facts("default")).ready == 0


@pytest.mark.parametrize(
    ("options", "field"),
    [
        (Options(queue='we"ird\\'), "queue"),
        (Options(queue=""), "queue"),
        (Options(priority=10), "priority"),
        (Options(delay=-1), "delay"),
        (Options(delay=float("nan")), "delay"),
        (Options(expires_in=0), "expires_in"),
        (Options(run_at=1.7e12), "run_at"),
        (Options(unique_key=""), "unique_key"),
        (Options(idempotency_key="x" * 201), "idempotency_key"),
        (Options(tenant=""), "tenant"),
    ],
)
def test_an_option_out_of_its_range_is_refused_by_name(options: Options, field: str) -> None:
    """Each bound has one message that names the field and what was expected."""
    with pytest.raises(InvalidRequest) as caught:
        double.using(options)
    assert caught.value.field == field


async def test_an_error_in_the_clients_block_leaves_it_as_it_is(autojump_clock: MockClock) -> None:
    """The task group inside the client does not wrap the caller's own exceptions."""
    async with working(module) as rig:
        await rig.start_worker()
        with pytest.raises(JobFailed):
            async with Client(rig.store) as client:
                await client.result(await client.submit(fail), 10)
