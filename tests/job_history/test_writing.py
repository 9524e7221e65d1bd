"""What is told to the history is kept, whole, once, on both databases."""

import msgspec
import pytest
import trio

from job_history.endings import START, Operations, dead, ending, failure, job_id, numbers
from penstock.engine.job import JobState
from penstock.engine.job_history import History, HistorySettings, PastAttempt, PastJob, Search, open_history
from penstock.engine.job_history.writer import SLICE
from penstock.engine.limits import MAX_ERROR_MESSAGE, MAX_RESULT, MAX_TRACEBACK
from penstock.engine.operation import Operation
from penstock.engine.seams import Seams

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
OTHER_TRACE = "0af7651916cd43dd8448eb211c80319c"


async def test_a_job_is_read_back_as_it_was_told(history: History) -> None:
    """Every field, times to the millisecond; its error's traceback stands with the attempt."""
    told = dead(
        7,
        tenant="acmé",
        user="ann",
        trace_id=TRACE,
        ended_at=START + 7.125,
        error=failure(traceback="Trace…"),
    )
    await history.writer.take([told])
    error = failure(attempt=1, worker="w1")
    attempt = PastAttempt(
        attempt=1,
        state=JobState.DEAD,
        started_at=START - 1,
        ended_at=START + 7.125,
        worker="w1",
        trace_id=TRACE,
        error=msgspec.structs.replace(error, traceback="Trace…"),
    )
    assert await history.read(told.id) == PastJob(
        id=told.id,
        queue="media",
        job="images.thumbnail",
        module="images",
        state=JobState.DEAD,
        attempt=1,
        priority=5,
        tenant="acmé",
        user="ann",
        submitted_at=START - 2,
        started_at=START - 1,
        ended_at=START + 7.125,
        worker="w1",
        trace_id=TRACE,
        error=error,
        result=None,
        attempts=(attempt,),
    )


async def test_a_job_that_nobody_told_of_is_not_there(history: History) -> None:
    """`None`, as a store says it."""
    assert await history.read(job_id(1)) is None


async def test_telling_again_changes_nothing(history: History) -> None:
    """A relay that does not know whether it was heard tells the same endings once more, in another order."""
    told = [ending(1, attempt=1, state=JobState.SCHEDULED, error=failure()), ending(1, attempt=2), dead(2)]
    await history.writer.take(told)
    before = [await history.read(job_id(number)) for number in (1, 2)]
    await history.writer.take(told[::-1])
    assert [await history.read(job_id(number)) for number in (1, 2)] == before
    assert numbers(await history.search(Search())) == [2, 1]


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 2, 0)])
async def test_each_attempt_is_kept_and_the_last_ending_stands(
    history: History, order: tuple[int, int, int]
) -> None:
    """In whatever order and however many at a time they are told."""
    told = [
        ending(1, attempt=1, state=JobState.SCHEDULED, error=failure("one"), ended_at=START + 1),
        ending(1, attempt=2, state=JobState.DEAD, error=failure("two"), ended_at=START + 2),
        ending(1, attempt=3, ended_at=START + 3, worker="w2"),
    ]
    for number in order:
        await history.writer.take([told[number]])
    found = await history.read(job_id(1))
    assert found is not None
    assert (found.state, found.attempt, found.worker, found.error) == (JobState.SUCCEEDED, 3, "w2", None)
    words = [(one.attempt, one.state, one.error and one.error.message) for one in found.attempts]
    assert words == [(1, JobState.SCHEDULED, "one"), (2, JobState.DEAD, "two"), (3, JobState.SUCCEEDED, None)]


async def test_what_ends_a_job_between_two_attempts_stands_beside_the_attempt(history: History) -> None:
    """A job that waits for its second attempt is cancelled: the first attempt's failure is still told."""
    await history.writer.take([ending(1, state=JobState.SCHEDULED, error=failure("one"))])
    await history.writer.take([ending(1, state=JobState.CANCELLED, ended_at=START + 9)])
    found = await history.read(job_id(1))
    assert found is not None
    assert (found.state, found.ended_at) == (JobState.CANCELLED, START + 9)
    assert [one.error and one.error.message for one in found.attempts] == ["one"]


async def test_a_job_that_waits_for_its_next_attempt_has_not_finished(history: History) -> None:
    """It is not found, and its attempts are there once it has."""
    await history.writer.take([ending(1, state=JobState.SCHEDULED, error=failure())])
    assert (await history.search(Search())).jobs == []
    assert await history.read(job_id(1)) is None
    await history.writer.take([ending(1, attempt=2)])
    found = await history.read(job_id(1))
    assert found is not None
    assert len(found.attempts) == 2


async def test_a_job_that_never_started_has_no_attempts_but_keeps_its_error(history: History) -> None:
    """Cancelled in its line: none. Dead because nobody knows it: its error, under attempt 0."""
    cancelled = ending(1, state=JobState.CANCELLED, attempt=0, started_at=None, worker=None)
    unknown = dead(2, attempt=0, started_at=None)
    await history.writer.take([cancelled, unknown])
    found = [await history.read(job_id(number)) for number in (1, 2)]
    assert [job and [one.attempt for one in job.attempts] for job in found] == [[], [0]]


async def test_no_text_or_number_is_refused(history: History) -> None:
    """A row that the database refused would be refused for ever, and hold up all behind it."""
    hostile = "a\0b\ud800c" + "ü" * 20_000
    told = dead(
        1,
        tenant=hostile,
        user=hostile,
        worker=hostile,
        trace_id=hostile,
        event_id=hostile,
        job=hostile,
        attempt=2**70,
        priority=2**70,
        submitted_at=float("-inf"),
        started_at=float("nan"),
        ended_at=float("inf"),
        error=failure(hostile, traceback="first" + hostile + "last\0", fingerprint=hostile),
    )
    await history.writer.take([told, ending(2)])
    found = await history.read(job_id(1))
    assert found is not None
    assert found.error is not None
    assert found.error.message.startswith("a\ufffdb?cüü")
    assert len(found.error.message) == MAX_ERROR_MESSAGE
    [attempt] = found.attempts
    assert attempt.error is not None
    assert attempt.error.traceback.endswith("last\ufffd")
    assert len(attempt.error.traceback) == MAX_TRACEBACK
    assert numbers(await history.search(Search(tenant=hostile[:200]))) == []
    assert found.tenant is not None
    assert numbers(await history.search(Search(tenant=found.tenant))) == [1]


@pytest.mark.parametrize("asked", [True, False])
async def test_results_are_kept_only_if_asked(settings: HistorySettings, asked: bool) -> None:
    """Results are the users' data; too large ones are left out, the job is kept."""
    async with open_history(msgspec.structs.replace(settings, results=asked)) as history:
        result = msgspec.msgpack.encode({"pixels": b"\0\xff"})
        await history.writer.take([ending(1, result=result), ending(2, result=b"x" * (MAX_RESULT + 1))])
        found = [await history.read(job_id(number)) for number in (1, 2)]
    assert [job and job.result for job in found] == [result if asked else None, None]


async def test_many_endings_are_written_in_slices(settings: HistorySettings) -> None:
    """Each in one transaction, with one statement a table."""
    operations = Operations()
    async with open_history(settings, operations.seams) as history:
        del operations.ended[:]
        await history.writer.take([ending(number) for number in range(1, 2 * SLICE + 2)])
        inserts = [one for one in operations.ended if one.name == "INSERT jobs"]
        assert [one.attributes.get("db.operation.batch.size", 1) for one in inserts] == [SLICE, SLICE, 1]
        page = await history.search(Search(limit=3))
    assert numbers(page) == [2 * SLICE + 1, 2 * SLICE, 2 * SLICE - 1]


async def test_nothing_told_is_nothing_written(settings: HistorySettings) -> None:
    """No transaction, no statement."""
    operations = Operations()
    async with open_history(settings, operations.seams) as history:
        del operations.ended[:]
        await history.writer.take([])
    assert operations.ended == []


async def test_a_cancelled_writer_ends_between_two_slices(settings: HistorySettings) -> None:
    """What was being written is there whole, jobs and attempts; nothing of what comes behind it is."""
    scope = trio.CancelScope()
    watching = Operations()

    def around(operation: Operation) -> trio.CancelScope:
        if operation.name == "INSERT jobs":
            trio.from_thread.run_sync(scope.cancel)
        return watching.seams.around_operation(operation)  # type: ignore[return-value]

    seams = Seams(around_operation=around)  # type: ignore[arg-type]
    async with open_history(settings, seams) as history:
        with scope:
            await history.writer.take([ending(number) for number in range(1, SLICE + 2)])
        assert scope.cancelled_caught
        assert await history.read(job_id(SLICE + 1)) is None
        first, last = await history.read(job_id(1)), await history.read(job_id(SLICE))
    assert first is not None
    assert last is not None
    assert len(last.attempts) == 1


async def test_two_processes_may_tell_the_same(settings: HistorySettings) -> None:
    """Two writers with the same endings in opposite orders: both are heard, and each job is there once."""
    told = [dead(number) for number in range(1, 400)]
    async with (
        open_history(settings) as one,
        open_history(settings) as other,
        trio.open_nursery() as nursery,
    ):
        for _ in range(3):
            nursery.start_soon(one.writer.take, told)
            nursery.start_soon(other.writer.take, told[::-1])
    async with open_history(settings) as history:
        assert numbers(await history.search(Search(limit=500))) == list(range(399, 0, -1))
