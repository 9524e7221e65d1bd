"""Submitting: what is stored, where it waits, and that the same job is stored once."""

import msgspec

from penstock.engine.job import JobState
from penstock.engine.record import Header
from penstock.engine.store import Submitted
from support.stores import QueueUnderTest, new_job


async def test_a_new_job_is_ready_with_a_header_built_on_the_stores_clock(queue: QueueUnderTest) -> None:
    """Submitting writes all twelve words of the header."""
    job = new_job("a", priority=3, tenant="acme")
    assert await queue.store.submit(queue.name, [job]) == [Submitted("a", True, JobState.READY)]
    record = await queue.store.read(queue.name, "a")
    assert record is not None
    assert record.header == Header(
        version=1,
        state=JobState.READY,
        attempt=0,
        crashes=0,
        priority=3,
        token=0,
        submitted=queue.now,
        due=queue.now,
        ended=0,
        size=len(job.body),
        flags="-",
        tenant="acme",
    )
    assert (record.body, record.ending) == (job.body, b"")


async def test_body_may_hold_any_bytes(queue: QueueUnderTest) -> None:
    """The body comes back as it went in, line feeds and zeros included."""
    body = bytes(range(256)) + b"\n1 ready 0\n"
    await queue.store.submit(queue.name, [new_job("a", body=body)])
    record = await queue.store.read(queue.name, "a")
    assert record is not None
    assert record.body == body


async def test_delay_and_due_decide_between_scheduled_and_ready(queue: QueueUnderTest) -> None:
    """A job waits for a due time in the future, given or as a delay; the past and the present mean now."""
    answers = [
        *await queue.submit("later", delay=500),
        *await queue.submit("at", due=queue.now + 700),
        *await queue.submit("past", due=queue.now - 700),
        *await queue.submit("now", due=queue.now),
        *await queue.submit("both", due=queue.now + 300, delay=900),
    ]
    waits, ready = JobState.SCHEDULED, JobState.READY
    assert [answer.state for answer in answers] == [waits, waits, ready, ready, waits]
    dues = {
        suffix: (await queue.header(suffix)).due - queue.now for suffix in ("later", "at", "past", "both")
    }
    assert dues == {"later": 500, "at": 700, "past": 0, "both": 300}


async def test_answers_come_in_the_order_of_the_jobs(queue: QueueUnderTest) -> None:
    """One answer per job, duplicates included, also for more than one slice."""
    names = [f"job{n}" for n in range(2_500)]
    answers = await queue.submit(*names)
    assert [answer.suffix for answer in answers] == names
    assert (await queue.store.facts(queue.name)).ready == 2_500


async def test_no_jobs_is_no_submission(queue: QueueUnderTest) -> None:
    """An empty sequence has an empty answer."""
    assert await queue.submit() == []


async def test_an_id_that_exists_with_the_same_body_counts_as_created(queue: QueueUnderTest) -> None:
    """A submission whose answer was lost is sent again and says the same."""
    first = await queue.submit("a", "b", delay=100)
    assert await queue.submit("a", "b", delay=100) == first
    assert (await queue.store.facts(queue.name)).scheduled == 2


async def test_an_id_that_exists_with_another_body_is_left_alone(queue: QueueUnderTest) -> None:
    """The older job stays as it is and the newer one is told that it is not stored."""
    await queue.submit("a")
    before = await queue.store.read(queue.name, "a")
    assert await queue.submit("a", body=b"other") == [Submitted("a", False, JobState.READY)]
    assert await queue.store.read(queue.name, "a") == before


async def test_an_id_twice_in_one_submission_is_one_job(queue: QueueUnderTest) -> None:
    """Within one slice the rule of existing ids holds as well."""
    answers = await queue.store.submit(queue.name, [new_job("a"), new_job("a"), new_job("a", body=b"x")])
    assert [answer.created for answer in answers] == [True, True, False]
    assert (await queue.store.facts(queue.name)).ready == 1


async def test_submitting_an_ended_job_again_answers_with_its_end(queue: QueueUnderTest) -> None:
    """An id is never run a second time while its record is kept."""
    await queue.submit("a")
    worker = await queue.worker()
    await worker.end(await worker.take_one())
    assert await queue.submit("a") == [Submitted("a", True, JobState.SUCCEEDED)]
    assert await worker.names() == []


async def test_look_describes_the_job_in_seconds(queue: QueueUnderTest) -> None:
    """The reader's view of a waiting job; unknown ids are None."""
    await queue.submit("a", tenant="-", priority=2, delay=1_500)
    job = await queue.store.look(queue.name, "a")
    assert job is not None
    seen = (job.id, job.state, job.priority, job.tenant, job.args, job.worker, job.started_at)
    assert seen == (f"{queue.name}.a", JobState.SCHEDULED, 2, None, {"n": "a"}, None, None)
    assert (job.submitted_at, job.due_at) == (queue.now / 1000, queue.now / 1000 + 1.5)
    assert await queue.store.look(queue.name, "nobody") is None
    assert await queue.store.read(queue.name, "nobody") is None


async def test_queues_lists_what_was_submitted_to(queue: QueueUnderTest) -> None:
    """Names are sorted, and a queue stays on the list when it is empty."""
    other = QueueUnderTest(queue.harness)
    await queue.submit("a")
    await other.submit("a")
    assert await queue.store.queues() == sorted([queue.name, other.name])


async def test_queues_know_nothing_of_each_other(queue: QueueUnderTest) -> None:
    """The same suffix and the same worker's id in two queues are two jobs and two leases."""
    other = QueueUnderTest(queue.harness)
    await queue.submit("a")
    mine, theirs = await queue.worker(), await other.worker()
    assert mine.name == theirs.name
    assert await theirs.names() == []
    assert await mine.names() == ["a"]


async def test_ping(queue: QueueUnderTest) -> None:
    """A store that answers says so by returning."""
    await queue.store.ping()


async def test_a_job_that_is_not_decodable_is_still_carried(queue: QueueUnderTest) -> None:
    """The store never looks into bodies: whoever runs the job finds out."""
    await queue.submit("a", body=b"\xc1 no msgpack")
    claimed = await (await queue.worker()).take_one()
    assert claimed.raw.endswith(b"\xc1 no msgpack")
    assert msgspec.structs.asdict(claimed)["suffix"] == "a"
