"""SQLAlchemy engines for the two databases: how connections are made, and what is set on each.

SQLite: one connection writes and others read beside it, which its write-ahead log allows; where the file is
somebody else's too, its journal is as they chose it. What is committed
is on disk (`synchronous = FULL`; a batch costs one flush). A transaction that writes says so when it begins
(`BEGIN IMMEDIATE`): one that first reads and then writes could find itself overtaken and be refused.
"""

import sqlite3
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal
from urllib.parse import quote

from sqlalchemy import URL, Connection, Engine, create_engine, event
from sqlalchemy.pool import QueuePool

from penstock.engine.errors import ConfigurationError
from penstock.engine.sql.settings import SQLITE, DatabaseSettings, database_url

Role = Literal["write", "read", "migrate"]

_DEADLINE = "penstock_deadline"
_STEPS = 10_000
"""Instructions of SQLite's machine between two looks at the clock: well under a millisecond."""


class NoDatabase(ConfigurationError):
    """SQLite's file is not there."""


def make_engine(settings: DatabaseSettings, role: Role) -> Engine:
    """An engine that has not connected yet. Raises `ConfigurationError` where its driver is missing."""
    url = database_url(settings.url, settings.part)
    size = settings.readers if role == "read" else 1
    # Who may have a connection is decided before one is asked for (`lane.py`): the pool is never short.
    common: dict[str, Any] = {
        "poolclass": QueuePool,
        "pool_size": size,
        "max_overflow": 0,
        "pool_timeout": settings.wait,
        "hide_parameters": True,
    }
    if url.get_backend_name() == SQLITE:
        engine = create_engine(url, creator=_sqlite_opener(url, settings, role), **common)
        _prepare_sqlite(engine, settings, role)
        return engine
    try:
        engine = create_engine(
            url,
            pool_pre_ping=True,  # a server that was restarted costs no batch
            connect_args={"connect_timeout": max(1, round(settings.wait)), "application_name": "penstock"},
            **common,
        )
    except ImportError as missing:  # psycopg's is of this sort too where it finds no libpq
        raise ConfigurationError(
            f"the {settings.part} in PostgreSQL needs a driver ({missing}): "
            "pip install 'penstock[postgresql]'"
        ) from missing
    _prepare_postgresql(engine, settings, role)
    return engine


def _sqlite_opener(url: URL, settings: DatabaseSettings, role: Role) -> Callable[[], sqlite3.Connection]:
    path = Path(url.database or "").absolute()
    mode = "rwc" if role == "migrate" else "rw"  # a mistyped path becomes no empty database

    def connect() -> sqlite3.Connection:
        if not path.parent.is_dir():
            raise NoDatabase(f"the {settings.part}'s folder {path.parent} is not there; make it first")
        if role != "migrate" and not path.exists():
            raise NoDatabase(
                f"the {settings.part}'s database {path} is not there; create it: {settings.made_by}"
            )
        return sqlite3.connect(
            f"file:{quote(str(path))}?mode={mode}",
            uri=True,
            timeout=settings.wait,
            isolation_level=None,  # transactions begin where we say
            check_same_thread=False,  # threads come and go; the pool lends a connection to one at a time
        )

    return connect


def _prepare_sqlite(engine: Engine, settings: DatabaseSettings, role: Role) -> None:
    def prepare(raw: sqlite3.Connection, record: Any) -> None:
        if role == "read":
            raw.execute("PRAGMA query_only = ON")
            raw.execute("PRAGMA cache_size = -16384")  # KiB
            _watch(raw, record.info)
        else:
            raw.execute("PRAGMA synchronous = FULL")
            raw.execute("PRAGMA cache_size = -65536")
            # A batch touches thousands of pages, mostly those of the batch before: 16,000 pages (64 MB) of
            # log are carried over at once, each page once.
            raw.execute("PRAGMA wal_autocheckpoint = 16000")
            raw.execute("PRAGMA journal_size_limit = 134217728")
        if role == "migrate" and settings.private:
            raw.execute("PRAGMA journal_mode = WAL")  # stays with the file

    def begin(connection: Connection) -> None:
        connection.info[_DEADLINE] = time.monotonic() + settings.read_within
        connection.exec_driver_sql("BEGIN" if role == "read" else "BEGIN IMMEDIATE")

    event.listen(engine, "connect", prepare)
    event.listen(engine, "begin", begin)


def _watch(raw: sqlite3.Connection, info: dict[str, float]) -> None:
    """Have SQLite stop a statement that takes too long; it has no setting for it."""
    raw.set_progress_handler(lambda: time.monotonic() > info.get(_DEADLINE, float("inf")), _STEPS)


def _prepare_postgresql(engine: Engine, settings: DatabaseSettings, role: Role) -> None:
    seconds = {"read": settings.read_within, "write": settings.write_within, "migrate": 0}[role]

    def prepare(raw: Any, _record: Any) -> None:
        with raw.cursor() as cursor:
            cursor.execute(f"SET statement_timeout = {round(seconds * 1000)}")
            cursor.execute(f"SET lock_timeout = {round(settings.wait * 1000)}")
            if role == "read":
                cursor.execute("SET default_transaction_read_only = on")
        raw.commit()

    event.listen(engine, "connect", prepare)
