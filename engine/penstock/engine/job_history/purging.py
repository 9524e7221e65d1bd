"""Removing what is old: jobs with their attempts, and attempts whose job never finished."""

from collections import Counter

from sqlalchemy import Connection, Executable, delete, select, tuple_

from penstock.engine.job import JobState
from penstock.engine.job_history.schema import ATTEMPTS, JOBS, UNFINISHED


def purge_jobs(connection: Connection, older_than: int, at_most: int, state: JobState | None) -> Counter[str]:
    """Remove jobs that ended before `older_than` (milliseconds), the oldest first; how many, by state."""
    query = select(JOBS.c.id, JOBS.c.state).where(JOBS.c.ended_ms < older_than)
    if state is not None:
        query = query.where(JOBS.c.state == state.value)
    found = connection.execute(query.order_by(JOBS.c.ended_ms).limit(at_most)).all()
    if found:
        ids = [row.id for row in found]
        connection.execute(delete(ATTEMPTS).where(ATTEMPTS.c.job_id.in_(ids)))
        # Another process may have written a later ending meanwhile; that one stays.
        connection.execute(delete(JOBS).where(JOBS.c.id.in_(ids), JOBS.c.ended_ms < older_than))
    return Counter(row.state for row in found)


def purge_orphans(connection: Connection, older_than: int, at_most: int) -> int:
    """Remove attempts that ended before `older_than` and whose job has not finished; how many.

    A job that does finish so late is found with the attempts since then.
    """
    found = [tuple(row) for row in connection.execute(orphans(older_than, at_most))]
    if found:
        connection.execute(delete(ATTEMPTS).where(tuple_(ATTEMPTS.c.job_id, ATTEMPTS.c.attempt).in_(found)))
    return len(found)


def orphans(older_than: int, at_most: int) -> Executable:
    """Which those are: job and number."""
    finished = select(JOBS.c.id).where(JOBS.c.id == ATTEMPTS.c.job_id).exists()
    return (
        select(ATTEMPTS.c.job_id, ATTEMPTS.c.attempt)
        .where(UNFINISHED, ATTEMPTS.c.ended_ms < older_than, ~finished)
        .order_by(ATTEMPTS.c.ended_ms)
        .limit(at_most)
    )
