"""What is older than it should be goes, the oldest first, and takes its attempts along."""

import pytest
import trio
from sqlalchemy import func, select
from trio.testing import MockClock

from job_history.endings import START, counting, dead, ending, failure, numbers
from penstock.engine.errors import ConfigurationError, InvalidRequest
from penstock.engine.job import JobState
from penstock.engine.job_history import (
    History,
    HistoryRefused,
    HistoryUnavailable,
    Retention,
    Search,
    keep_within,
)
from penstock.engine.job_history.retention import DAY, EVERY, SLICE, clear
from penstock.engine.job_history.schema import ATTEMPTS


async def attempts_left(history: History) -> int:
    """How many rows of attempts there are, those without a job included."""
    query = select(func.count()).select_from(ATTEMPTS)
    return await history._reading.run("test", lambda connection: connection.execute(query).scalar_one())


async def test_the_oldest_go_first_and_no_more_than_asked(history: History) -> None:
    """Their number is told; at the limit itself nothing goes."""
    await history.writer.take([ending(number) for number in range(1, 7)])
    with counting() as counts:
        assert await history.purge(START + 5, 3) == 3
        assert numbers(await history.search(Search())) == [6, 5, 4]
        assert await history.purge(START + 5, 3) == 1
        assert await history.purge(START + 5, 3) == 0
    assert numbers(await history.search(Search())) == [6, 5]
    assert await attempts_left(history) == 2
    assert counts.of("history_purged_jobs", "succeeded") == 4


async def test_only_the_state_that_was_asked_for_goes(history: History) -> None:
    """Dead letters are worth keeping longer."""
    await history.writer.take([ending(1), dead(2), ending(3)])
    assert await history.purge(START + 10, state=JobState.SUCCEEDED) == 2
    assert numbers(await history.search(Search())) == [2]


async def test_a_job_takes_all_its_attempts_along_and_keeps_them_while_it_stays(history: History) -> None:
    """However old an attempt is: what counts is when its job ended."""
    old = ending(1, state=JobState.SCHEDULED, error=failure(), ended_at=START - 100)
    await history.writer.take([old, ending(1, attempt=2, ended_at=START + 100)])
    assert await history.purge(START) == 0
    assert await attempts_left(history) == 2
    assert await history.purge(START + 101) == 1
    assert await attempts_left(history) == 0


async def test_attempts_of_jobs_that_never_finished_go_too(history: History) -> None:
    """A job may vanish with its Redis: nothing would ever remove what was told of it."""
    retried = [ending(n, state=JobState.SCHEDULED, error=failure()) for n in (1, 2, 3)]
    await history.writer.take(retried)
    await history.purge(START + 3, state=JobState.SUCCEEDED)
    assert await attempts_left(history) == 3
    assert await history.purge(START + 3, 1) == 1
    assert await attempts_left(history) == 2
    assert await clear(history, Retention(dead=1), now=START + 4) == 1
    assert await attempts_left(history) == 1


async def test_clearing_keeps_each_state_as_long_as_it_says(history: History) -> None:
    """However many slices that takes; 0 keeps for ever."""
    await history.writer.take([ending(number) for number in range(1, SLICE + 3)])
    kept = [dead(5_000), ending(5_001, state=JobState.CANCELLED), ending(5_002, state=JobState.EXPIRED)]
    await history.writer.take(kept)
    retention = Retention(succeeded=10, dead=10 * DAY, cancelled=0, expired=10_000)
    assert await clear(history, retention, now=START + 5_000 + 100) == SLICE + 2
    assert numbers(await history.search(Search())) == [5_002, 5_001, 5_000]
    assert await clear(history, retention, now=START + 20 * DAY) == 2
    assert numbers(await history.search(Search())) == [5_001]


@pytest.mark.parametrize("at_most", [0, -1, 10_001])
async def test_a_slice_has_a_size(history: History, at_most: int) -> None:
    """Else one call would hold up all writers, or remove nothing for ever."""
    with pytest.raises(InvalidRequest) as caught:
        await history.purge(START, at_most)
    assert caught.value.field == "at_most"


@pytest.mark.parametrize("span", [-1.0, float("nan"), float("inf")])
def test_a_retention_is_a_number_of_seconds(span: float) -> None:
    """A negative one would remove what has just ended."""
    with pytest.raises(ConfigurationError, match="retention of dead jobs"):
        Retention(dead=span)


class Purging:
    """Hears when it is asked to purge, and cannot do it at first."""

    def __init__(self) -> None:
        self.asked: list[tuple[float, JobState | None]] = []

    async def purge(self, older_than: float, at_most: int = SLICE, *, state: JobState | None = None) -> int:
        self.asked.append((trio.current_time(), state))
        await trio.lowlevel.checkpoint()
        if len(self.asked) == 1:
            raise HistoryUnavailable("it is away")
        if len(self.asked) == 2:
            raise HistoryRefused("it may not delete")
        return 0


async def test_old_jobs_are_looked_for_every_hour(autojump_clock: MockClock) -> None:
    """At once, then each hour; one that is away, or refuses, is asked again the next time."""
    purging = Purging()
    began = trio.current_time()
    with trio.move_on_after(2.5 * EVERY):
        await keep_within(purging, Retention())
    states = list(Retention().spans())
    assert purging.asked == [
        (began, states[0]),
        (began + EVERY, states[0]),
        *((began + 2 * EVERY, state) for state in states),
    ]
