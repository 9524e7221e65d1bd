"""Writing endings: in slices, each one transaction that is safe to repeat."""

from collections import Counter
from collections.abc import Sequence
from functools import partial
from typing import Any

from sqlalchemy import Connection, and_, or_
from sqlalchemy.dialects import postgresql, sqlite

from penstock.engine.job_ending import JobEnding
from penstock.engine.job_history.bulk import Bulk
from penstock.engine.job_history.metrics import ENDINGS
from penstock.engine.job_history.rows import rows_of
from penstock.engine.job_history.schema import ATTEMPTS, JOBS
from penstock.engine.sql.lane import Lane
from penstock.engine.sql.settings import SQLITE

SLICE = 1_000
"""Endings in one transaction: 50 ms or so in SQLite, which is how long another process waits to write."""


class HistoryWriter:
    """Takes endings into the history; `open_history` makes one."""

    def __init__(self, lane: Lane, *, results: bool) -> None:
        self._lane = lane
        self._results = results
        dialect = lane.engine.dialect
        insert = sqlite.insert if dialect.name == SQLITE else postgresql.insert
        self._jobs = Bulk(_later_wins(insert(JOBS)), dialect)
        self._attempts = Bulk(insert(ATTEMPTS).on_conflict_do_nothing(), dialect)

    async def take(self, endings: Sequence[JobEnding]) -> None:
        """Write endings; those that are known already, by job and attempt, change nothing.

        Of a job's endings the one with the most attempts stands, and of those the last; the order in which
        they are told does not matter. An attempt stays as it was first told.

        Raises:
            HistoryUnavailable: and its kinds; how many were written is not known. Call again with the same.
            HistoryRefused: an operator has to mend the database first; then the same holds.

        Cancelled, it ends after the slice that is being written, which stands.
        """
        for first in range(0, len(endings), SLICE):
            part = endings[first : first + SLICE]
            await self._lane.run("write", partial(self._write, part))
            for state, count in Counter(ending.state for ending in part).items():
                ENDINGS.inc(count, state=state.value)

    def _write(self, endings: Sequence[JobEnding], connection: Connection) -> None:
        jobs, attempts = rows_of(endings, results=self._results)
        self._jobs.execute(connection, jobs)
        self._attempts.execute(connection, attempts)


def _later_wins(insert: sqlite.Insert | postgresql.Insert) -> Any:
    new, table = insert.excluded, JOBS
    later = or_(
        new["attempt"] > table.c.attempt,
        and_(new["attempt"] == table.c.attempt, new["ended_ms"] > table.c.ended_ms),
    )
    changed = {column.name: new[column.name] for column in table.columns if not column.primary_key}
    return insert.on_conflict_do_update(index_elements=[table.c.id], set_=changed, where=later)
