"""What operators do with the table: make it, look at it, decide about rows that were set aside.

All of it blocks: it is for a command line and for tests, not for a running loop. Everything raises
`OutboxUnavailable` and `OutboxRefused`, and `ConfigurationError` where the table is missing or an older one.
"""

from collections.abc import Callable, Collection
from typing import NamedTuple, TypeVar

from sqlalchemy import ColumnElement, Connection, delete, inspect, select, update
from sqlalchemy.exc import SQLAlchemyError

from penstock.engine.sql.engines import Role, make_engine
from penstock.engine.sql.errors import translate
from penstock.engine.sql_outbox.database import OutboxFacts, check, count
from penstock.engine.sql_outbox.errors import KINDS
from penstock.engine.sql_outbox.schema import METADATA, TABLE
from penstock.engine.sql_outbox.settings import OutboxSettings

T = TypeVar("T")
_c = TABLE.c


class AsideRow(NamedTuple):
    """A row that was set aside. Times are seconds since the epoch."""

    id: str
    job: str
    tenant: str | None
    submitted_at: float
    aside_at: float
    reason: str


def create(settings: OutboxSettings) -> bool:
    """Make the table where there is none; whether it was made."""

    def make(connection: Connection) -> bool:
        there = inspect(connection).has_table(TABLE.name)
        METADATA.create_all(connection)
        check(connection)
        return not there

    return _do(settings, "migrate", make)


def look(settings: OutboxSettings, most: int = 100) -> tuple[OutboxFacts, list[AsideRow]]:
    """What waits, and at most so many of the rows that were set aside, the latest first."""
    query = select(_c.id, _c.job, _c.tenant, _c.submitted_ms, _c.aside_ms, _c.reason)
    query = query.where(_c.aside_ms.is_not(None)).order_by(_c.aside_ms.desc()).limit(most)

    def find(connection: Connection) -> tuple[OutboxFacts, list[AsideRow]]:
        check(connection)
        rows = [
            AsideRow(job_id, job, tenant, submitted / 1000, aside / 1000, reason)
            for job_id, job, tenant, submitted, aside, reason in connection.execute(query)
        ]
        return count(connection), rows

    return _do(settings, "read", find)


def put_back(settings: OutboxSettings, ids: Collection[str]) -> int:
    """Have the rows of these jobs moved that were set aside, also those in doubt; how many there were."""
    free = {"aside_ms": None, "reason": None, "sent_ms": None, "taken_by": None, "taken_ms": None}
    statement = update(TABLE).where(_of(ids)).values(free)
    return _do(settings, "write", lambda connection: connection.execute(statement).rowcount)


def discard(settings: OutboxSettings, ids: Collection[str]) -> int:
    """Delete the rows of these jobs that were set aside; how many there were."""
    statement = delete(TABLE).where(_of(ids))
    return _do(settings, "write", lambda connection: connection.execute(statement).rowcount)


def _of(ids: Collection[str]) -> ColumnElement[bool]:
    return _c.aside_ms.is_not(None) & _c.id.in_(ids)


def _do(settings: OutboxSettings, role: Role, work: Callable[[Connection], T]) -> T:
    engine = make_engine(settings, role)
    try:
        with engine.begin() as connection:
            return work(connection)
    except SQLAlchemyError as error:
        translated = translate(error, settings.part, KINDS)
    finally:
        engine.dispose()
    raise translated  # outside of the handler: the driver's own, with its values, stays behind
