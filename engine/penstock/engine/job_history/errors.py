"""What goes wrong with the database, in Penstock's words: whose fault it is and what the caller may do.

This is the one place that reads what the drivers say. Their texts can hold values (`Key (id)=(…)`), and those
of searches and jobs are nobody's business in a log: a text is passed on only where it cannot hold any.
"""

import sqlite3

from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from penstock.engine.errors import PenstockError


class HistoryUnavailable(PenstockError):
    """The database cannot be reached, is locked or has no free connection; later it may serve.

    What was to be written is not known to be written; every call is safe to repeat.
    """


class HistoryFull(HistoryUnavailable):
    """The disk, or what the database may use of it, is full: nothing of that slice was written."""


class HistoryReadOnly(HistoryUnavailable):
    """The database cannot be written by us now: a file without permission, or a standby server."""


class HistoryTooSlow(HistoryUnavailable):
    """The database took longer than the settings allow and was stopped. A narrower search may be in time."""


class HistoryRefused(PenstockError):
    """The database refused in a way that sending again will not cure: a missing right, a missing table."""


_ADVICE: dict[type[PenstockError], str] = {
    HistoryFull: "the history's disk is full; it goes on once there is room",
    HistoryReadOnly: "the history cannot be written: its database is read-only for us",
    HistoryTooSlow: "the history's database was stopped: it took longer than it may",
    HistoryUnavailable: "the history's database does not serve now",
    HistoryRefused: "the history's database refused",
}

# Primary result codes: https://www.sqlite.org/rescode.html
_SQLITE: dict[int, type[PenstockError]] = {
    sqlite3.SQLITE_BUSY: HistoryUnavailable,
    sqlite3.SQLITE_CANTOPEN: HistoryUnavailable,
    sqlite3.SQLITE_FULL: HistoryFull,
    sqlite3.SQLITE_INTERRUPT: HistoryTooSlow,
    sqlite3.SQLITE_IOERR: HistoryUnavailable,
    sqlite3.SQLITE_LOCKED: HistoryUnavailable,
    sqlite3.SQLITE_READONLY: HistoryReadOnly,
}

# SQLSTATEs, or their first two characters: https://www.postgresql.org/docs/current/errcodes-appendix.html
_POSTGRESQL: dict[str, type[PenstockError]] = {
    "25006": HistoryReadOnly,  # read_only_sql_transaction
    "53100": HistoryFull,  # disk_full
    "57014": HistoryTooSlow,  # query_canceled, by statement_timeout
    "08": HistoryUnavailable,  # connection exceptions
    "40": HistoryUnavailable,  # serialization failures, deadlocks
    "53": HistoryUnavailable,  # insufficient resources: connections, memory
    "55": HistoryUnavailable,  # locks
    "57": HistoryUnavailable,  # shutdown, start-up
    "58": HistoryUnavailable,  # system errors, input and output
}


def code_of(error: BaseException | None) -> str:
    """The database's own code for an error: `SQLITE_FULL`, `53100`; else the name of its class."""
    known = getattr(error, "sqlite_errorname", None) or getattr(error, "sqlstate", None)
    return str(known or type(error).__name__)


def translate(error: SQLAlchemyError) -> PenstockError:
    """The exception to raise in its place; no bound values in its text."""
    if isinstance(error, PoolTimeout):
        return HistoryUnavailable("no connection of the history's became free in time")
    driver = error.orig if isinstance(error, DBAPIError) else error
    kind = _kind(error, driver)
    return kind(f"{_ADVICE[kind]} ({_words(driver, kind)})")


def _kind(error: SQLAlchemyError, driver: BaseException | None) -> type[PenstockError]:
    number = getattr(driver, "sqlite_errorcode", None)
    if number is not None:
        return _SQLITE.get(number & 0xFF, HistoryRefused)
    state = getattr(driver, "sqlstate", None)
    if state is not None:
        return _POSTGRESQL.get(state) or _POSTGRESQL.get(state[:2], HistoryRefused)
    lost = isinstance(error, DBAPIError) and (
        error.connection_invalidated or type(driver).__name__ in ("OperationalError", "InterfaceError")
    )
    return HistoryUnavailable if lost else HistoryRefused


def _words(driver: BaseException | None, kind: type[PenstockError]) -> str:
    """Its code, and what it says where that is about the server and not about data."""
    if kind is HistoryRefused:
        return code_of(driver)
    return f"{code_of(driver)}: {str(driver).strip().partition(chr(10))[0][:200]}"
