"""What relays do with the table, a transaction each.

A row is *taken* for a time, in one short transaction, and finished in another: nothing is locked while the
broker is asked, which on SQLite would keep the application from writing. In PostgreSQL relays that take at
the same time skip each other's rows.
"""

from collections.abc import AsyncGenerator, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Connection, Row, delete, func, inspect, or_, select, update

from penstock.engine.errors import ConfigurationError
from penstock.engine.seams import Seams
from penstock.engine.sql.engines import make_engine
from penstock.engine.sql.instrumentation import count_connections, instrument
from penstock.engine.sql.lane import Lane
from penstock.engine.sql_outbox.metrics import OUTBOX
from penstock.engine.sql_outbox.schema import TABLE, VERSION
from penstock.engine.sql_outbox.settings import CREATE, OutboxSettings

_c = TABLE.c


class Ask(NamedTuple):
    """Who asks for rows, and for which."""

    relay: str
    """A name that no other relay has or had."""
    now: int
    """Milliseconds since the epoch."""
    stale: int
    """Rows that were taken before this time are free again."""
    most: int
    resting: Collection[str]
    """Queues whose rows are not asked for."""


class Finish(NamedTuple):
    """What became of rows that a relay had taken, by their `seq`."""

    done: Sequence[int] = ()
    """The broker has them: they are deleted."""
    back: Sequence[int] = ()
    """To be taken again; the broker may have them."""
    unsent: Sequence[int] = ()
    """To be taken again; it is known that this was no sending."""
    aside: Mapping[int, str] = {}
    """They cannot be moved, and why."""


class OutboxFacts(NamedTuple):
    """The table at one moment."""

    waiting: int
    newer: int
    """Written by a newer version."""
    aside: int
    oldest: int | None
    """When the row was submitted that waits longest, in milliseconds since the epoch."""


class Database:
    """The table of one outbox. Its methods raise `OutboxUnavailable` and `OutboxRefused`."""

    def __init__(self, writing: Lane, reading: Lane) -> None:
        self._writing = writing
        self._reading = reading

    async def waits(self, ask: Ask) -> bool:
        """Whether there is anything to take; a look that locks nothing, and has no span."""
        query = select(_c.seq).where(*_free(ask)).limit(1)
        return await self._reading.run("look", lambda found: found.execute(query).first() is not None)

    async def facts(self) -> OutboxFacts:
        """What waits; it reads the whole table."""
        return await self._reading.run("count", count)

    async def take(self, ask: Ask) -> list[Row[Any]]:
        """Take rows in the order in which they were written, with `sent_ms` as it was before."""
        return await self._writing.run("take", lambda connection: _take(connection, ask))

    async def finish(self, relay: str, what: Finish) -> None:
        """Note what became of rows; those that another relay has taken meanwhile stay as they are."""
        await self._writing.run("finish", lambda connection: _finish(connection, relay, what))


@asynccontextmanager
async def open_database(settings: OutboxSettings, seams: Seams) -> AsyncGenerator[Database]:
    """The table for as long as the block lasts.

    Raises:
        ConfigurationError: there is no such table, or an older one; the text says what mends that.
        OutboxUnavailable, OutboxRefused: the database does not serve, or does not let us.
    """
    writing = Lane(make_engine(settings, "write"), 1, settings.wait, OUTBOX)
    reading = Lane(make_engine(settings, "read"), settings.readers, settings.wait, OUTBOX)
    for lane in (writing, reading):
        count_connections(lane.engine, OUTBOX.measures.pool_connections)
    instrument(writing.engine, seams)  # looking would be a trace of its own, twice a second
    try:
        await reading.run("open", check)
        yield Database(writing, reading)
    finally:
        await reading.close()
        await writing.close()


def check(connection: Connection) -> None:
    """Raise `ConfigurationError`, which says what to do, unless the table has the columns that we know."""
    found = inspect(connection)
    if not found.has_table(TABLE.name):
        raise ConfigurationError(
            f"the outbox's database has no table {TABLE.name}: have your migrations make it "
            f"(penstock.engine.sql_outbox.METADATA), or {CREATE}"
        )
    there = {column["name"] for column in found.get_columns(TABLE.name)}
    missing = sorted({column.name for column in TABLE.columns} - there)
    if missing:
        raise ConfigurationError(
            f"the table {TABLE.name} was made by an older version and lacks {', '.join(missing)}: have your "
            "migrations add what penstock.engine.sql_outbox.METADATA has more"
        )


def _waiting() -> list[ColumnElement[bool]]:
    return [_c.aside_ms.is_(None), _c.version <= VERSION]


def _free(ask: Ask) -> list[ColumnElement[bool]]:
    free = [*_waiting(), or_(_c.taken_ms.is_(None), _c.taken_ms < ask.stale)]
    return [*free, _c.queue.not_in(sorted(ask.resting))] if ask.resting else free


def _take(connection: Connection, ask: Ask) -> list[Row[Any]]:
    query = select(TABLE).where(*_free(ask)).order_by(_c.seq).limit(ask.most)
    rows = list(connection.execute(query.with_for_update(skip_locked=True)))  # SQLite has no such words
    if rows:
        note = {"taken_by": ask.relay, "taken_ms": ask.now, "sent_ms": func.coalesce(_c.sent_ms, ask.now)}
        connection.execute(update(TABLE).where(_c.seq.in_([row.seq for row in rows])).values(note))
    return rows


def _finish(connection: Connection, relay: str, what: Finish) -> None:
    def ours(rows: Collection[int]) -> ColumnElement[bool]:
        return _c.seq.in_(rows) & (_c.taken_by == relay)

    free = {"taken_by": None, "taken_ms": None}
    if what.done:
        connection.execute(delete(TABLE).where(ours(what.done)))
    if what.back:
        connection.execute(update(TABLE).where(ours(what.back)).values(free))
    if what.unsent:
        connection.execute(update(TABLE).where(ours(what.unsent)).values({**free, "sent_ms": None}))
    for seq, reason in what.aside.items():
        note = {**free, "aside_ms": _c.taken_ms, "reason": reason}
        connection.execute(update(TABLE).where(ours([seq])).values(note))


def count(connection: Connection) -> OutboxFacts:
    """Look at the whole table."""
    newer = _c.version > VERSION
    counts = select(
        func.count().filter(*_waiting()),
        func.count().filter(_c.aside_ms.is_(None), newer),
        func.count().filter(_c.aside_ms.is_not(None)),
    ).select_from(TABLE)
    waiting, beyond, aside = connection.execute(counts).one()
    oldest = select(_c.submitted_ms).where(*_waiting()).order_by(_c.seq).limit(1)
    return OutboxFacts(waiting, beyond, aside, connection.scalar(oldest))
