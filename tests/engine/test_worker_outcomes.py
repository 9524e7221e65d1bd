"""What becomes of one job in the hands of a worker, on virtual time."""

from itertools import pairwise
from typing import Any

import pytest
import trio
from trio.testing import MockClock

from penstock.engine import Backoff, Dead, JobContext, JobState, Module, Retry
from penstock.engine.errors import JobFailed
from penstock.engine.events import JobFinished, JobStarted, Settled
from penstock.engine.limits import MAX_RESULT
from penstock.engine.names import split_job_id
from penstock.engine.outcome import outcome_name
from penstock.engine.store import NewJob
from support.work import working


async def test_a_job_runs_once_and_its_result_is_kept(autojump_clock: MockClock) -> None:
    """A handler that returns ends its job as succeeded, with its result in the record."""
    module = Module("m")

    @module.job
    async def add(ctx: JobContext, left: int, right: int = 2) -> int:
        return left + right

    async with working(module) as rig:
        await rig.start_worker()
        receipt = await rig.client.submit(add, 40)
        job = await rig.client.wait(receipt.id, 10)

        assert (job.state, job.result, job.attempt) == (JobState.SUCCEEDED, 42, 1)
        assert len(rig.ears.of(JobStarted)) == len(rig.ears.of(JobFinished)) == 1
        assert await rig.client.result(receipt) == 42


async def test_a_failing_job_is_tried_again_with_growing_delays_and_then_dies(
    autojump_clock: MockClock,
) -> None:
    """`retries=3` means four attempts, each later than the one before, the last error in the dead letter."""
    module, at = Module("m"), list[float]()

    @module.job(retries=3, backoff=Backoff(base=2, jitter=False))
    async def fail(ctx: JobContext) -> None:
        at.append(trio.current_time())
        raise ValueError(f"attempt {ctx.attempt}")

    async with working(module) as rig:
        await rig.start_worker()
        job = await rig.client.wait((await rig.client.submit(fail)).id, 1000)

    assert job.state is JobState.DEAD
    assert job.attempt == 4
    assert job.error is not None
    assert (job.error.type, job.error.message) == ("ValueError", "attempt 4")
    assert "in fail" in job.error.traceback
    gaps = [after - before for before, after in pairwise(at)]
    assert gaps == [pytest.approx(seconds, abs=0.1) for seconds in (2, 4, 8)]


async def test_the_error_of_the_last_attempt_is_seen_while_the_next_one_waits(
    autojump_clock: MockClock,
) -> None:
    """Between two attempts the record tells why the first one failed."""
    module = Module("m")

    @module.job(retries=1, backoff=Backoff(base=60, jitter=False))
    async def fail(ctx: JobContext) -> None:
        raise ValueError("so far")

    async with working(module) as rig:
        await rig.start_worker()
        receipt = await rig.client.submit(fail)
        await rig.ears.wait_for(Settled)
        job = await rig.client.get(receipt.id)

    assert job is not None
    assert job.state is JobState.SCHEDULED
    assert job.error is not None
    assert job.error.message == "so far"


async def test_a_handler_may_ask_for_another_attempt_at_its_own_time(autojump_clock: MockClock) -> None:
    """`raise Retry(delay=…)` decides the delay and counts as an attempt."""
    module, at = Module("m"), list[float]()

    @module.job(retries=1)
    async def later(ctx: JobContext) -> str:
        at.append(trio.current_time())
        if ctx.attempt == 1:
            raise Retry("not yet", delay=30)
        return "now"

    async with working(module) as rig:
        await rig.start_worker()
        job = await rig.client.wait((await rig.client.submit(later)).id, 100)

    assert (job.state, job.result, job.attempt) == (JobState.SUCCEEDED, "now", 2)
    assert at[1] - at[0] == pytest.approx(30, abs=0.1)


async def test_a_retry_without_delay_runs_again_at_once(autojump_clock: MockClock) -> None:
    """`Retry(delay=0)` goes back to the line, not to the timetable."""
    module = Module("m")

    @module.job(retries=5)
    async def again(ctx: JobContext) -> int:
        if ctx.attempt < 4:
            raise Retry(delay=0)
        return ctx.attempt

    async with working(module) as rig:
        await rig.start_worker()
        began = trio.current_time()
        job = await rig.client.wait((await rig.client.submit(again)).id, 100)
        assert job.result == 4
        assert trio.current_time() - began < 1


async def test_a_handler_may_bury_its_job(autojump_clock: MockClock) -> None:
    """`raise Dead(reason)` makes a dead letter although attempts are left."""
    module = Module("m")

    @module.job(retries=9)
    async def hopeless(ctx: JobContext) -> None:
        raise Dead("no such customer")

    async with working(module) as rig:
        await rig.start_worker()
        receipt = await rig.client.submit(hopeless)
        with pytest.raises(JobFailed, match="no such customer"):
            await rig.client.result(receipt, 10)
        job = await rig.client.get(receipt.id)

    assert job is not None
    assert (job.state, job.attempt) == (JobState.DEAD, 1)


async def test_a_handler_that_runs_too_long_is_cancelled_and_has_failed(autojump_clock: MockClock) -> None:
    """The timeout cancels the handler; the attempt fails with TimeoutError and is retried like any other."""
    module = Module("m")

    @module.job(timeout=5, retries=0)
    async def slow(ctx: JobContext) -> None:
        await trio.sleep_forever()

    async with working(module) as rig:
        await rig.start_worker()
        job = await rig.client.wait((await rig.client.submit(slow)).id, 100)

    assert job.state is JobState.DEAD
    assert job.error is not None
    assert (job.error.type, job.error.message) == ("TimeoutError", "ran longer than 5 s")


async def test_a_job_past_its_last_moment_does_not_start(autojump_clock: MockClock) -> None:
    """`expires_in` keeps a job that waited too long from starting; it ends as expired."""
    module, ran = Module("m"), list[str]()

    @module.job
    async def offer(ctx: JobContext) -> None:
        ran.append(ctx.id)

    async with working(module) as rig:
        late = await rig.client.submit(offer.using(expires_in=10))
        await trio.sleep(10)
        in_time = await rig.client.submit(offer.using(expires_in=10))
        await trio.sleep(9.9)
        await rig.start_worker()
        job = await rig.client.wait(late.id, 60)
        await rig.client.wait(in_time.id, 60)

    assert job is not None
    assert job.state is JobState.EXPIRED
    assert ran == [in_time.id]
    assert [event.attempt.id for event in rig.ears.of(JobStarted)] == ran


async def test_a_delayed_job_starts_when_it_is_due_and_not_before(autojump_clock: MockClock) -> None:
    """`delay` holds for an hour as well as for a moment, and nobody polls for it."""
    module, at = Module("m"), list[float]()

    @module.job
    async def later(ctx: JobContext) -> None:
        at.append(trio.current_time())

    async with working(module) as rig:
        await rig.start_worker()
        began = trio.current_time()
        receipt = await rig.client.submit(later.using(delay=3600))
        await rig.client.wait(receipt.id, 4000)

    assert at[0] - began == pytest.approx(3600, abs=0.1)


async def test_a_handler_that_calls_exit_has_failed_and_nothing_more(autojump_clock: MockClock) -> None:
    """SystemExit ends the attempt, not the worker."""
    module = Module("m")

    @module.job(retries=0)
    async def leave(ctx: JobContext) -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_exit)

    async def _exit() -> None:
        raise SystemExit(3)

    @module.job
    async def stay(ctx: JobContext) -> str:
        return "still here"

    async with working(module) as rig:
        await rig.start_worker()
        job = await rig.client.wait((await rig.client.submit(leave)).id, 10)
        assert job.state is JobState.DEAD
        assert job.error is not None
        assert job.error.type == "SystemExit"
        assert await rig.client.result(await rig.client.submit(stay), 10) == "still here"


@pytest.mark.parametrize(
    ("value", "reason"),
    [(object(), "cannot be serialised"), ("x" * MAX_RESULT, "at most 262144 are kept")],
)
async def test_a_result_that_cannot_be_kept_is_a_dead_letter_that_says_so(
    autojump_clock: MockClock, value: object, reason: str
) -> None:
    """Running the job again would end the same way, so it is not tried again."""
    module = Module("m")

    @module.job(retries=5)
    async def produce(ctx: JobContext) -> Any:
        return value

    async with working(module) as rig:
        await rig.start_worker()
        job = await rig.client.wait((await rig.client.submit(produce)).id, 10)

    assert (job.state, job.attempt) == (JobState.DEAD, 1)
    assert job.error is not None
    assert reason in job.error.message


async def test_a_failure_in_a_nursery_of_one_is_told_as_what_it_is(autojump_clock: MockClock) -> None:
    """One-element exception groups are unwrapped in the record."""
    module = Module("m")

    @module.job(retries=0)
    async def fail(ctx: JobContext) -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_fail)

    async def _fail() -> None:
        raise KeyError("inside")

    async with working(module) as rig:
        await rig.start_worker()
        job = await rig.client.wait((await rig.client.submit(fail)).id, 10)

    assert job.error is not None
    assert job.error.type == "KeyError"


async def test_a_running_job_can_be_cancelled(autojump_clock: MockClock) -> None:
    """Cancelling tells the worker at once; the handler is cancelled and the job ends as cancelled."""
    module = Module("m")

    @module.job
    async def endless(ctx: JobContext) -> None:
        await trio.sleep_forever()

    async with working(module) as rig:
        await rig.start_worker()
        receipt = await rig.client.submit(endless)
        await rig.ears.wait_for(JobStarted)
        began = trio.current_time()
        assert (await rig.client.cancel(receipt.id)).state is JobState.RUNNING
        job = await rig.client.wait(receipt.id, 10)

        assert job.state is JobState.CANCELLED
        assert trio.current_time() - began < 1


async def test_every_start_has_one_finish_with_an_outcome_also_when_the_worker_is_cancelled(
    autojump_clock: MockClock,
) -> None:
    """Observers can rely on pairs: cancellation from outside finishes the attempt too."""
    module = Module("m")

    @module.job
    async def endless(ctx: JobContext) -> None:
        await trio.sleep_forever()

    async with working(module) as rig:
        await rig.start_worker()
        for _ in range(3):
            await rig.client.submit(endless)
        await rig.ears.wait_for(JobStarted, count=3)

    finished = rig.ears.of(JobFinished)
    assert len(finished) == 3
    assert {outcome_name(event.attempt.outcome) for event in finished if event.attempt.outcome} == {"lost"}
    facts = await rig.store.facts("default")
    assert (facts.ready, facts.running) == (3, 0)  # the good-bye gave them back


async def test_an_undecodable_record_dies_at_once(autojump_clock: MockClock) -> None:
    """Only what nobody can read dies without an attempt."""
    module = Module("m")

    @module.job
    async def never(ctx: JobContext) -> None: ...

    async with working(module) as rig:
        await rig.store.submit("default", [NewJob("0" * 28, b"\xc1 not msgpack")])
        await rig.start_worker()
        await rig.ears.wait_for(Settled)
        record = await rig.store.read(*split_job_id("default." + "0" * 28))

    assert record is not None
    assert record.header.state is JobState.DEAD


async def test_a_job_nobody_here_knows_is_parked_until_somebody_does(autojump_clock: MockClock) -> None:
    """During a roll-out the old workers pass the new job over, no attempt consumed."""
    old, new = Module("old"), Module("new")

    @old.job
    async def known(ctx: JobContext) -> None: ...

    @new.job
    async def fresh(ctx: JobContext) -> str:
        return "done"

    async with working(old) as rig:
        await rig.start_worker()
        receipt = await rig.client.submit(fresh)
        await rig.ears.wait_for(Settled)
        job = await rig.client.get(receipt.id)
        assert job is not None
        assert (job.state, job.attempt) == (JobState.PARKED, 0)

        await rig.start_worker(new)
        job = await rig.client.wait(receipt.id, 600)
        assert (job.state, job.attempt) == (JobState.SUCCEEDED, 1)


async def test_a_job_nobody_ever_knows_dies_after_an_hour(autojump_clock: MockClock) -> None:
    """Parking has an end, and the dead letter names the job."""
    old, typo = Module("old"), Module("typo")

    @old.job
    async def known(ctx: JobContext) -> None: ...

    @typo.job
    async def mistake(ctx: JobContext) -> None: ...

    async with working(old) as rig:
        await rig.start_worker()
        began = trio.current_time()
        job = await rig.client.wait((await rig.client.submit(mistake)).id, 8000)

        assert job.state is JobState.DEAD
        assert job.error is not None
        assert "typo.mistake" in job.error.message
        assert trio.current_time() - began == pytest.approx(3600, abs=60)
