"""The tables and their indexes, as the newest migration leaves them (a test compares the two).

Times are milliseconds since the epoch, so that a cursor can name one exactly. `user_name` is so called
because `user` is a word of SQL.
"""

from sqlalchemy import (
    BigInteger,
    Column,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    SmallInteger,
    Table,
    Text,
    text,
)

VERSION_TABLE = "penstock_history_version"
"""Alembic's own would be in the way of an application's migrations in the same database."""

UNFINISHED = text("state NOT IN ('succeeded', 'dead', 'cancelled', 'expired')")
"""Word for word in an index and in the query that is to use it: SQLite compares the two."""

METADATA = MetaData()

JOBS = Table(
    "jobs",
    METADATA,
    Column("id", Text, primary_key=True),
    Column("queue", Text, nullable=False),
    Column("job", Text, nullable=False),
    Column("module", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("priority", SmallInteger, nullable=False),
    Column("tenant", Text),
    Column("user_name", Text),
    Column("submitted_ms", BigInteger, nullable=False),
    Column("started_ms", BigInteger),
    Column("ended_ms", BigInteger, nullable=False),
    Column("worker", Text),
    Column("trace_id", Text),
    Column("error_type", Text),
    Column("error_message", Text),
    Column("error_fingerprint", Text),
    Column("result", LargeBinary),
    Column("event_id", Text, nullable=False),
)
"""One row a finished job: its last ending."""

ATTEMPTS = Table(
    "attempts",
    METADATA,
    Column("job_id", Text, nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("state", Text, nullable=False),
    Column("started_ms", BigInteger),
    Column("ended_ms", BigInteger, nullable=False),
    Column("worker", Text),
    Column("trace_id", Text),
    Column("error_type", Text),
    Column("error_message", Text),
    Column("error_fingerprint", Text),
    Column("error_traceback", Text),
    PrimaryKeyConstraint("job_id", "attempt"),
)
"""One row an ending of an attempt. No foreign key: attempts are told before their job has finished."""

# Each search goes along one index, newest first, and stops when its page is full. The last one in each page
# may share its millisecond with others: they are sorted by id as they are read.
_failed = JOBS.c.error_type.is_not(None)
_traced = JOBS.c.trace_id.is_not(None)
Index("jobs_ended", JOBS.c.ended_ms)
Index("jobs_tenant", JOBS.c.tenant, JOBS.c.ended_ms)
Index("jobs_job", JOBS.c.job, JOBS.c.ended_ms)
Index("jobs_queue", JOBS.c.queue, JOBS.c.ended_ms)
Index("jobs_state", JOBS.c.state, JOBS.c.ended_ms)
Index("jobs_failed", JOBS.c.ended_ms, sqlite_where=_failed, postgresql_where=_failed)
Index("jobs_trace", JOBS.c.trace_id, sqlite_where=_traced, postgresql_where=_traced)

# Only a failed attempt can name another trace than its job's.
_failed_attempt = ATTEMPTS.c.error_type.is_not(None)
Index("attempts_trace", ATTEMPTS.c.trace_id, sqlite_where=_failed_attempt, postgresql_where=_failed_attempt)
Index("attempts_unfinished", ATTEMPTS.c.ended_ms, sqlite_where=UNFINISHED, postgresql_where=UNFINISHED)
