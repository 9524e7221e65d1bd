"""The history as callers have it: write, search, read, purge."""

from collections import Counter
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from sqlalchemy import Connection, select

from penstock.engine.errors import InvalidRequest
from penstock.engine.job import JobState
from penstock.engine.job_history import purging, retention
from penstock.engine.job_history.cursor import Position, write_cursor
from penstock.engine.job_history.metrics import HISTORY, PURGED
from penstock.engine.job_history.migrating import check
from penstock.engine.job_history.rows import milliseconds
from penstock.engine.job_history.schema import ATTEMPTS, JOBS
from penstock.engine.job_history.searching import Page, Search, query_of
from penstock.engine.job_history.settings import HistorySettings
from penstock.engine.job_history.views import PastAttempt, PastJob, past_attempt, past_job
from penstock.engine.job_history.writer import HistoryWriter
from penstock.engine.names import split_job_id
from penstock.engine.seams import Seams
from penstock.engine.sql.engines import make_engine
from penstock.engine.sql.instrumentation import count_connections, instrument
from penstock.engine.sql.lane import Lane
from penstock.engine.sql.settings import SQLITE

MAX_ATTEMPTS_READ = 1_000
"""Attempts that `read` shows: the first of them. A traceback has 8,000 characters."""


class History:
    """One history that is open. All its calls raise what `Lane.run` says, beside what is said here."""

    def __init__(self, writing: Lane, reading: Lane, *, results: bool) -> None:
        self._writing = writing
        self._reading = reading
        self.writer = HistoryWriter(writing, results=results)
        """Takes endings."""

    async def search(self, search: Search) -> Page:
        """The newest jobs to which all of it applies, a page at a time.

        Jobs added meanwhile appear on no later page; a job that ends once more moves to its new time.

        Raises:
            InvalidRequest: something cannot be looked for, the cursor included; `field` names it.
            HistoryTooSlow: it took longer than it may. A tenant, a job or a time range narrows it.
        """
        query = query_of(search, guided=self._reading.engine.dialect.name == SQLITE)

        def find(connection: Connection) -> list[PastJob]:
            return [past_job(row) for row in connection.execute(query)]

        found = await self._reading.run("search", find)
        if len(found) <= search.limit:
            return Page(found, None)
        last = found[search.limit - 1]
        return Page(found[: search.limit], write_cursor(Position(milliseconds(last.ended_at), last.id)))

    async def read(self, job_id: str) -> PastJob | None:
        """One finished job with its attempts; None where the history has none of that id.

        Raises:
            InvalidRequest: that is no job id.
        """
        split_job_id(job_id)
        return await self._reading.run("read", lambda connection: _read(connection, job_id))

    async def purge(
        self, older_than: float, at_most: int = retention.SLICE, *, state: JobState | None = None
    ) -> int:
        """Remove jobs that ended before `older_than` (seconds since the epoch), the oldest first.

        At most `at_most` jobs go, with all their attempts, in one transaction. Without a `state`, or with
        `dead`, at most as many attempts of jobs that never finished go as well. Returned is the number of
        jobs, or of those attempts where they are more: go on while it is `at_most`, as `clear` does.

        Raises:
            InvalidRequest: `at_most` is not 1 to 10,000.
        """
        if not 1 <= at_most <= 10_000:
            raise InvalidRequest(f"at_most is {at_most}: expected 1 to 10,000", field="at_most")
        before = milliseconds(older_than)

        def remove(connection: Connection) -> tuple[Counter[str], int]:
            gone = purging.purge_jobs(connection, before, at_most, state)
            also = state in (None, JobState.DEAD)
            return gone, purging.purge_orphans(connection, before, at_most) if also else 0

        gone, orphans = await self._writing.run("purge", remove)
        for name, count in gone.items():
            PURGED.inc(count, state=name)
        return max(gone.total(), orphans)


@asynccontextmanager
async def open_history(settings: HistorySettings, seams: Seams | None = None) -> AsyncGenerator[History]:
    """The history for as long as the block lasts; nobody may use it afterwards.

    Raises:
        ConfigurationError: the address is wrong, a driver is missing, or the tables are not those that this
            version knows; the text says which command mends that.
        HistoryUnavailable: the database cannot be reached.
    """
    seams = seams if seams is not None else Seams()
    writing = Lane(make_engine(settings, "write"), 1, settings.wait, HISTORY)
    reading = Lane(make_engine(settings, "read"), settings.readers, settings.wait, HISTORY)
    for lane in (writing, reading):
        instrument(lane.engine, seams)
        count_connections(lane.engine, HISTORY.measures.pool_connections)
    try:
        await reading.run("open", check)
        yield History(writing, reading, results=settings.results)
    finally:
        await reading.close()
        await writing.close()


def _read(connection: Connection, job_id: str) -> PastJob | None:
    row = connection.execute(select(JOBS).where(JOBS.c.id == job_id)).one_or_none()
    if row is None:
        return None
    query = select(ATTEMPTS).where(ATTEMPTS.c.job_id == job_id).order_by(ATTEMPTS.c.attempt)
    attempts: list[PastAttempt] = [
        past_attempt(one) for one in connection.execute(query.limit(MAX_ATTEMPTS_READ))
    ]
    return past_job(row, tuple(attempts))
