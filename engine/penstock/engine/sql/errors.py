"""What goes wrong with a database, in Penstock's words: whose fault it is and what the caller may do.

This is the one place that reads what the drivers say. Their texts can hold values (`Key (id)=(…)`), and those
of searches and jobs are nobody's business in a log: a text is passed on only where it cannot hold any.
"""

import sqlite3
from typing import NamedTuple

from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from penstock.engine.errors import PenstockError


class Kinds(NamedTuple):
    """The exceptions of one part, by what has happened."""

    unavailable: type[PenstockError]
    """It cannot be reached, is locked or has no free connection; later it may serve."""
    full: type[PenstockError]
    """The disk, or what the database may use of it, is full."""
    read_only: type[PenstockError]
    """It cannot be written by us now."""
    too_slow: type[PenstockError]
    """It took longer than the settings allow and was stopped."""
    refused: type[PenstockError]
    """It refused in a way that sending again will not cure: a missing right, a missing table."""


class _Kind(NamedTuple):
    name: str
    """The field of `Kinds`."""
    words: str
    """What has happened to `{part}`."""


_UNAVAILABLE = _Kind("unavailable", "the {part}'s database does not serve now")
_FULL = _Kind("full", "the {part}'s disk is full; it goes on once there is room")
_READ_ONLY = _Kind("read_only", "the {part} cannot be written: its database is read-only for us")
_TOO_SLOW = _Kind("too_slow", "the {part}'s database was stopped: it took longer than it may")
_REFUSED = _Kind("refused", "the {part}'s database refused")

# Primary result codes: https://www.sqlite.org/rescode.html
_SQLITE: dict[int, _Kind] = {
    sqlite3.SQLITE_BUSY: _UNAVAILABLE,
    sqlite3.SQLITE_CANTOPEN: _UNAVAILABLE,
    sqlite3.SQLITE_FULL: _FULL,
    sqlite3.SQLITE_INTERRUPT: _TOO_SLOW,
    sqlite3.SQLITE_IOERR: _UNAVAILABLE,
    sqlite3.SQLITE_LOCKED: _UNAVAILABLE,
    sqlite3.SQLITE_READONLY: _READ_ONLY,
}

# SQLSTATEs, or their first two characters: https://www.postgresql.org/docs/current/errcodes-appendix.html
_POSTGRESQL: dict[str, _Kind] = {
    "25006": _READ_ONLY,  # read_only_sql_transaction
    "53100": _FULL,  # disk_full
    "57014": _TOO_SLOW,  # query_canceled, by statement_timeout
    "08": _UNAVAILABLE,  # connection exceptions
    "40": _UNAVAILABLE,  # serialization failures, deadlocks
    "53": _UNAVAILABLE,  # insufficient resources: connections, memory
    "55": _UNAVAILABLE,  # locks
    "57": _UNAVAILABLE,  # shutdown, start-up
    "58": _UNAVAILABLE,  # system errors, input and output
}


def code_of(error: BaseException | None) -> str:
    """The database's own code for an error: `SQLITE_FULL`, `53100`; else the name of its class."""
    known = getattr(error, "sqlite_errorname", None) or getattr(error, "sqlstate", None)
    return str(known or type(error).__name__)


def translate(error: SQLAlchemyError, part: str, kinds: Kinds) -> PenstockError:
    """The exception to raise in its place, one of the part's; no bound values in its text."""
    if isinstance(error, PoolTimeout):
        return kinds.unavailable(f"no connection of the {part}'s became free in time")
    driver = error.orig if isinstance(error, DBAPIError) else error
    kind = _kind(error, driver)
    raised: type[PenstockError] = getattr(kinds, kind.name)
    return raised(f"{kind.words.format(part=part)} ({_words(driver, kind)})")


def _kind(error: SQLAlchemyError, driver: BaseException | None) -> _Kind:
    number = getattr(driver, "sqlite_errorcode", None)
    if number is not None:
        return _SQLITE.get(number & 0xFF, _REFUSED)
    state = getattr(driver, "sqlstate", None)
    if state is not None:
        return _POSTGRESQL.get(state) or _POSTGRESQL.get(state[:2], _REFUSED)
    lost = isinstance(error, DBAPIError) and (
        error.connection_invalidated or type(driver).__name__ in ("OperationalError", "InterfaceError")
    )
    return _UNAVAILABLE if lost else _REFUSED


def _words(driver: BaseException | None, kind: _Kind) -> str:
    """Its code, and what it says where that is about the server and not about data."""
    if kind is _REFUSED:
        return code_of(driver)
    return f"{code_of(driver)}: {str(driver).strip().partition(chr(10))[0][:200]}"
