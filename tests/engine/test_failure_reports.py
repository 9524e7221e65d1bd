"""Failures in the hands of a worker: reported once, counted once, told to whoever asked to hear of them."""

import gc
import weakref
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from typing import Any

import msgspec
import pytest
import trio
from trio.testing import MockClock

from penstock.engine import Backoff, Dead, JobContext, JobState, Module, Observers, Retry, Seams
from penstock.engine.attempt import Attempt
from penstock.engine.errors import ConfigurationError
from penstock.engine.events import AttemptFailed, JobFinished, ObserverFailed, Settled
from penstock.engine.failure_counts import FailureCount
from penstock.engine.memory_store import MemoryStore
from penstock.engine.store import NewJob, Settlement, Verdict
from support.work import Ears, Rig, virtual_clock, working

SOON = Backoff(base=0.01, jitter=False)

jobs = Module("jobs")


@jobs.job(retries=1, backoff=SOON)
async def broken(ctx: JobContext) -> None:
    raise ValueError(f"attempt {ctx.attempt}")


@jobs.job(timeout=5, retries=0)
async def slow(ctx: JobContext) -> None:
    await trio.sleep_forever()


@jobs.job
async def hopeless(ctx: JobContext) -> None:
    raise Dead("no such customer")


@jobs.job
async def odd(ctx: JobContext) -> Any:
    return object()


@jobs.job(retries=1)
async def patient(ctx: JobContext) -> str:
    if ctx.attempt == 1:
        raise Retry("not yet", delay=1)
    return "now"


@jobs.job(retries=1)
async def too_patient(ctx: JobContext) -> None:
    raise Retry("not yet", delay=1)


@jobs.job
def in_a_thread(ctx: JobContext) -> None:
    raise Dead("from a thread")


async def end_of(rig: Rig, job: Any) -> JobState:
    """Submit one job and wait for its end."""
    return (await rig.client.wait((await rig.client.submit(job)).id, 1000)).state


@pytest.mark.parametrize(
    ("job", "told"),
    [
        (broken, [("ValueError", "attempt 1", 1, False), ("ValueError", "attempt 2", 2, True)]),
        (slow, [("TimeoutError", "ran longer than 5 s", 1, True)]),
        (hopeless, [("penstock.engine.outcome.Dead", "no such customer", 1, True)]),
        (in_a_thread, [("penstock.engine.outcome.Dead", "from a thread", 1, True)]),
        (too_patient, [("penstock.engine.outcome.Retry", "not yet", 2, True)]),
        (patient, []),
    ],
    ids=lambda value: getattr(value, "name", ""),
)
async def test_each_failed_attempt_is_reported_once(
    autojump_clock: MockClock, job: Any, told: list[tuple[str, str, int, bool]]
) -> None:
    """Errors, timeouts, dead letters and patience that has run out; a wish for another attempt is none."""
    async with working(jobs) as rig:
        await rig.start_worker()
        await end_of(rig, job)
        reports = rig.ears.of(AttemptFailed)

    assert [(one.error.type, one.error.message, one.error.attempt, one.final) for one in reports] == told
    for report in reports:
        assert report.error.fingerprint
        assert report.error.worker == report.attempt.worker
        assert report.attempt.job == job.name
        assert str(report.exception) == report.error.message
        finished = [event.attempt for event in rig.ears.heard if isinstance(event, JobFinished)]
        assert report.attempt in finished


@pytest.mark.parametrize("said", [Dead("no such customer"), Retry("not yet", delay=7)])
async def test_a_child_in_a_nursery_says_it_for_its_job(
    autojump_clock: MockClock, said: Dead | Retry
) -> None:
    """`Dead` and `Retry` mean the same where a nursery has wrapped them."""
    module, at = Module("m"), list[float]()

    async def child() -> None:
        raise said

    @module.job(retries=1)
    async def parent(ctx: JobContext) -> None:
        at.append(trio.current_time())
        async with trio.open_nursery() as nursery:
            nursery.start_soon(child)

    async with working(module) as rig:
        await rig.start_worker()
        job = await rig.client.wait((await rig.client.submit(parent)).id, 1000)
        reports = rig.ears.of(AttemptFailed)

    assert job.error is not None
    assert job.error.message == str(said)
    assert [report.attempt.number for report in reports] == [job.attempt]
    if isinstance(said, Dead):
        assert job.attempt == 1
    else:
        assert at[1] - at[0] == pytest.approx(7, abs=0.1)


async def test_what_is_wrong_with_arguments_or_a_result_is_a_failure(autojump_clock: MockClock) -> None:
    """Both are found in an attempt, though one of them before the handler and one behind it."""
    elsewhere = Module("jobs")

    @elsewhere.job
    async def odd(ctx: JobContext, number: int) -> None: ...  # what an older version was called with

    async with working(jobs) as rig:
        await rig.start_worker()
        await rig.client.wait((await rig.client.submit(odd, 1)).id, 10)
        await end_of(rig, jobs.jobs["jobs.odd"])
        reports = rig.ears.of(AttemptFailed)

    assert [one.error.type.rpartition(".")[2] for one in reports] == ["InvalidArguments"] * 2
    assert len({one.error.fingerprint for one in reports}) == 2


async def test_the_report_comes_behind_the_finish_and_in_its_scope(autojump_clock: MockClock) -> None:
    """So that what a hook writes or sends carries the job's ids and its trace."""
    story, module = list[str](), Module("m")

    @module.job(retries=0)
    async def fail(ctx: JobContext) -> None:
        story.append("handler")
        raise ValueError

    @module.on_failure
    def forward(report: AttemptFailed) -> None:
        story.append("hook")

    @contextmanager
    def around(attempt: Attempt) -> Generator[None]:
        story.append("enter")
        yield
        story.append("leave")

    def observe(event: object) -> None:
        if isinstance(event, JobFinished | AttemptFailed):
            story.append(type(event).__name__)

    async with working(module) as rig:
        await rig.start_worker(seams=Seams(Observers(observe), around_attempt=around))
        await end_of(rig, fail)

    assert story == ["enter", "handler", "JobFinished", "AttemptFailed", "hook", "leave"]


# --- hooks ----------------------------------------------------------------------------------


async def test_a_hook_hears_of_its_own_module(autojump_clock: MockClock) -> None:
    """Of each failed attempt, with the exception itself; of other modules and of successes nothing."""
    mine, others, heard = Module("mine"), Module("others"), list[AttemptFailed]()
    raised = list[Exception]()
    mine.on_failure(heard.append)

    @mine.job(retries=1, backoff=SOON)
    async def fail(ctx: JobContext) -> None:
        raised.append(KeyError(ctx.attempt))
        raise raised[-1]

    @mine.job
    async def succeed(ctx: JobContext) -> None: ...

    @others.job(retries=0)
    async def fail_too(ctx: JobContext) -> None:
        raise KeyError

    async with working(mine) as rig:
        await rig.start_worker(mine, others)
        for job in (fail, succeed, fail_too):
            await end_of(rig, job)

    assert [(one.attempt.job, one.final) for one in heard] == [("mine.fail", False), ("mine.fail", True)]
    assert [one.exception for one in heard] == raised


async def test_a_hook_that_raises_is_dropped_and_that_is_told(autojump_clock: MockClock) -> None:
    """Like an observer; the job, the other hooks and the observers do not notice."""
    module, heard, calls = Module("m"), list[AttemptFailed](), list[None]()

    @module.job(retries=2, backoff=SOON)
    async def fail(ctx: JobContext) -> None:
        raise ValueError

    @module.on_failure
    def forward(report: AttemptFailed) -> None:
        calls.append(None)
        raise OSError("the service is away")

    module.on_failure(heard.append)
    async with working(module) as rig:
        await rig.start_worker()
        assert await end_of(rig, fail) is JobState.DEAD
        dropped = rig.ears.of(ObserverFailed)

    assert (len(calls), len(heard)) == (1, 3)
    assert [(event.observer.rpartition(".")[2], str(event.error)) for event in dropped] == [
        ("forward", "the service is away")
    ]


async def test_each_worker_has_its_hooks_to_itself(autojump_clock: MockClock) -> None:
    """One worker's dropping takes nothing from another, and nobody is told twice."""
    module, calls = Module("m"), list[None]()

    @module.job(retries=0)
    async def fail(ctx: JobContext) -> None:
        raise ValueError

    @module.on_failure
    def forward(report: AttemptFailed) -> None:
        calls.append(None)
        raise OSError

    async with working(module) as rig:
        for expected in (1, 2):
            worker = await rig.start_worker()
            await end_of(rig, fail)
            await end_of(rig, fail)
            worker.stop()
            assert len(calls) == expected
            await trio.testing.wait_all_tasks_blocked()


def test_a_hook_that_would_have_to_be_awaited_is_refused() -> None:
    """Nobody would, so it would do nothing and say so nowhere."""
    module = Module("m")

    async def forward(report: AttemptFailed) -> None: ...

    with pytest.raises(ConfigurationError, match="m: on_failure takes a plain function"):
        module.on_failure(forward)  # type: ignore[type-var]


async def test_the_exception_is_let_go_with_its_report(autojump_clock: MockClock) -> None:
    """Its frames hold what the handler had in hand: files, connections, a megabyte of picture."""
    module, in_hand = Module("m"), list[weakref.ref[object]]()

    class Picture: ...

    @module.job(retries=0)
    async def fail(ctx: JobContext) -> None:
        picture = Picture()
        in_hand.append(weakref.ref(picture))
        raise ValueError

    class Deaf(MemoryStore):
        async def settle(self, queue: str, worker: str, settlements: Sequence[Settlement]) -> list[Verdict]:
            await trio.sleep_forever()
            raise AssertionError

    finished = trio.Event()
    async with working(module, Deaf(virtual_clock)) as rig:
        await rig.start_worker(
            seams=Seams(Observers(lambda e: finished.set() if isinstance(e, JobFinished) else None))
        )
        await rig.client.submit(fail)
        await finished.wait()
        await trio.testing.wait_all_tasks_blocked()
        gc.collect()
        assert in_hand[0]() is None


# --- counted and stored -----------------------------------------------------------------------


async def counted(rig: Rig) -> list[FailureCount]:
    """What the store has counted."""
    return await rig.store.failures("default")


async def test_failures_are_counted_in_the_store(autojump_clock: MockClock) -> None:
    """Each attempt once, equal ones together, under the fingerprint that the record shows."""
    async with working(jobs) as rig:
        await rig.start_worker()
        for job in (broken, broken, patient, slow):
            await end_of(rig, job)
        receipt = await rig.client.submit(broken)
        record = await rig.client.wait(receipt.id, 10)
        found = {one.job: one for one in await counted(rig)}

    assert {job: one.count for job, one in found.items()} == {"jobs.broken": 6, "jobs.slow": 1}
    assert record.error is not None
    last = found["jobs.broken"]
    assert (last.fingerprint, last.job_id) == (record.error.fingerprint, receipt.id)
    assert (last.type, last.message) == ("ValueError", "attempt 2")


async def test_what_dies_without_an_attempt_is_counted_too(autojump_clock: MockClock) -> None:
    """A record that nobody can read, and a job that nobody knew for an hour, with whoever found out."""
    unheard_of = Module("unheard_of")

    @unheard_of.job
    async def mistake(ctx: JobContext) -> None: ...

    async with working(jobs) as rig:
        worker = await rig.start_worker()
        await rig.store.submit("default", [NewJob("0" * 28, b"\xc1 not msgpack")])
        await rig.ears.wait_for(Settled)
        job = await rig.client.wait((await rig.client.submit(mistake)).id, 8000)
        found = {one.job: one for one in await counted(rig)}

    assert found["unheard_of.mistake"].type == "penstock.UnknownJob"
    assert found["unheard_of.mistake"].job_id == job.id
    assert issubclass(getattr(msgspec, found[""].type.rpartition(".")[2]), msgspec.DecodeError)
    assert job.error is not None
    assert job.error.worker.startswith(worker.name)
    assert not rig.ears.of(AttemptFailed)


async def test_a_job_that_took_its_workers_down_is_counted(autojump_clock: MockClock) -> None:
    """By the reaper, with the same fingerprint in the dead letter."""
    async with working(jobs) as rig:
        receipt = await rig.client.submit(slow)
        for number in range(3):
            await rig.store.join("default", f"victim{number}", 100)
            assert await rig.store.claim("default", f"victim{number}", 1, 1, suspect=True, idle=False)
            await trio.sleep(1)
            if number < 2:
                await rig.store.reap("default", max_crashes=9, ending=b"", keep=1000)
        await rig.start_worker(max_crashes=3)
        job = await rig.client.wait(receipt.id, 60)
        (one,) = await counted(rig)

    assert job.error is not None
    assert job.error.type == one.type == "penstock.WorkerCrashed"
    assert (one.fingerprint, one.job_id) == (job.error.fingerprint, job.id)
    assert job.error.worker


async def test_the_seams_redact_what_is_stored(autojump_clock: MockClock) -> None:
    """Message and traceback, in the record and in the count; the exception itself is the hook's to handle."""
    module, ears = Module("m"), Ears()

    @module.job(retries=1, backoff=SOON)
    async def fail(ctx: JobContext) -> None:
        raise ValueError("password hunter2")

    store = MemoryStore(virtual_clock)
    async with working(module, store) as rig:
        seams = Seams(Observers(ears), redact=lambda text: text.replace("hunter2", "***"))
        await rig.start_worker(seams=seams)
        await end_of(rig, fail)
        (one,) = await counted(rig)
        first, last = ears.of(AttemptFailed)

    assert one.message == "password ***"
    for report in (first, last):
        assert "hunter2" not in repr(report.error) + repr(report.attempt.outcome)
        assert "***" in report.error.traceback
        assert str(report.exception) == "password hunter2"
