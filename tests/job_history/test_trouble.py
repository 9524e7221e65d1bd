"""What goes wrong with a database is told in Penstock's words, loses nothing and heals."""

import os
import sqlite3
import tempfile
import traceback
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path

import msgspec
import psycopg.errors
import pytest
import trio
from sqlalchemy import insert, text
from sqlalchemy.exc import DBAPIError

from job_history.endings import START, Operations, counting, dead, ending, job_id, numbers
from penstock.engine.errors import PenstockError
from penstock.engine.job_history import (
    History,
    HistoryFull,
    HistoryReadOnly,
    HistoryRefused,
    HistorySettings,
    HistoryTooSlow,
    HistoryUnavailable,
    Search,
    open_history,
    upgrade,
)
from penstock.engine.job_history.errors import KINDS
from penstock.engine.job_history.schema import JOBS
from penstock.engine.sql.errors import translate
from support.postgres import PostgresServer, postgres_server

LONG = """
WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n WHERE x < 20000000) SELECT count(*) FROM n
"""


def file_of(settings: HistorySettings) -> Path:
    """SQLite's file."""
    return Path(settings.url.removeprefix("sqlite:///"))


@contextmanager
def nobody() -> Generator[None]:
    """Be somebody who may not write to others' files: root may. All threads change with this one."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


@pytest.fixture
def readable() -> Generator[HistorySettings]:
    """A history with one job in a folder that everybody may enter; pytest's own is closed to others."""
    with tempfile.TemporaryDirectory(prefix="penstock-history-") as folder:
        os.chmod(folder, 0o755)
        settings = HistorySettings(url=f"sqlite:///{folder}/history.db")
        upgrade(settings)
        yield settings
        os.chmod(folder, 0o755)


async def test_a_read_only_file_can_be_searched_and_says_so_when_written(readable: HistorySettings) -> None:
    """With the right to write given back, the same endings are taken."""
    file = file_of(readable)
    async with open_history(readable) as first:  # its log lies beside the file while somebody has it open
        await first.writer.take([ending(1)])
        for path in file.parent.iterdir():
            path.chmod(0o444 if path == file else 0o666)
        with nobody():
            async with open_history(readable) as history:
                assert numbers(await history.search(Search())) == [1]
                with pytest.raises(HistoryReadOnly, match="read-only for us"):
                    await history.writer.take([ending(2)])
    async with open_history(readable) as history:
        await history.writer.take([ending(2)])
        assert numbers(await history.search(Search())) == [2, 1]


async def test_a_full_disk_loses_nothing(sqlite: HistorySettings) -> None:
    """A slice that finds no room leaves nothing behind, searches go on, and with room it is taken."""
    told = [dead(number) for number in range(2, 900)]
    async with open_history(sqlite) as history:
        await history.writer.take([ending(1)])
        await limit_pages(history, "(SELECT page_count + 8 FROM pragma_page_count)")
        with counting() as counts, pytest.raises(HistoryFull, match="disk is full"):
            await history.writer.take(told)
        assert counts.of("history_errors", "write", "HistoryFull") == 1
        assert counts.of("history_endings", "dead") == 0
        assert numbers(await history.search(Search())) == [1]
        await limit_pages(history, "1000000")
        await history.writer.take(told)
        found = await history.search(Search(limit=500))
        last = await history.read(job_id(2))
    assert numbers(found) == list(range(899, 399, -1))
    assert last is not None
    assert len(last.attempts) == 1


async def limit_pages(history: History, pages: str) -> None:
    """Have the connection that writes believe that its disk has so many pages."""

    def limit(raw: sqlite3.Connection) -> None:
        [most] = raw.execute(f"SELECT {pages}").fetchone()
        raw.execute(f"PRAGMA max_page_count = {most}")

    with history._writing.engine.connect() as connection:
        raw = connection.connection.dbapi_connection
        assert isinstance(raw, sqlite3.Connection)
        limit(raw)


async def test_a_file_that_somebody_else_writes_is_waited_for_and_no_longer(sqlite: HistorySettings) -> None:
    """A lock that is not given up makes the history unavailable; searches do not need it."""
    other = sqlite3.connect(file_of(sqlite), isolation_level=None)
    async with open_history(sqlite) as history:
        await history.writer.take([ending(1)])
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(HistoryUnavailable, match="SQLITE_BUSY"):
            await history.writer.take([ending(2)])
        assert numbers(await history.search(Search())) == [1]
        other.execute("COMMIT")
        await history.writer.take([ending(2)])
        assert numbers(await history.search(Search())) == [2, 1]
    other.close()


async def test_what_is_no_database_is_refused(tmp_path: Path) -> None:
    """Another file under the name of ours: not written over."""
    file = trio.Path(tmp_path / "history.db")
    await file.write_bytes(b"photographs of a dog" * 1000)
    with pytest.raises(HistoryRefused, match="SQLITE_NOTADB"):
        async with open_history(HistorySettings(url=f"sqlite:///{file}")):
            pytest.fail("it was opened")
    with pytest.raises(HistoryRefused, match="SQLITE_NOTADB"):
        upgrade(HistorySettings(url=f"sqlite:///{file}"))
    assert (await file.read_bytes()).startswith(b"photographs")


async def test_a_search_that_takes_too_long_is_stopped(settings: HistorySettings) -> None:
    """By the database itself, so that the thread is free again; the connection serves the next one."""
    hasty = msgspec.structs.replace(settings, read_within=0.2, readers=1)
    async with open_history(hasty) as history:
        with pytest.raises(HistoryTooSlow, match="longer than it may"):
            await history._reading.run("search", lambda connection: connection.execute(text(LONG)).all())
        assert (await history.search(Search())).jobs == []


async def test_a_search_cannot_write(settings: HistorySettings) -> None:
    """Its connections are for reading, whatever is asked over them."""
    async with open_history(settings) as history:
        with pytest.raises(HistoryReadOnly):
            await history._reading.run("search", lambda connection: connection.execute(JOBS.delete()))


async def test_who_waits_too_long_for_a_connection_is_told(settings: HistorySettings) -> None:
    """The wait is bounded and counted; it ends without a thread, and the next one is served."""
    hasty = msgspec.structs.replace(settings, wait=0.1, readers=1)
    held, go = trio.Event(), trio.Event()
    async with open_history(hasty) as history:

        def hold(_connection: object) -> None:
            trio.from_thread.run_sync(held.set)
            trio.from_thread.run(go.wait)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(history._reading.run, "search", hold)
            await held.wait()
            with counting() as counts, pytest.raises(HistoryUnavailable, match=r"free within 0\.1 s"):
                await history.search(Search())
            go.set()
        assert counts.of("history_pool_timeouts") == 1
        assert counts.of("history_errors", "search", "HistoryUnavailable") == 1
        assert (await history.search(Search())).jobs == []


async def test_texts_of_errors_hold_no_values(settings: HistorySettings) -> None:
    """Not even what the driver adds of itself, nor what a traceback shows of its causes."""
    secret = "hunter2"
    row = {column.name: secret for column in JOBS.columns} | {"result": b"", "attempt": 1, "priority": 1}
    row |= {"submitted_ms": 1, "started_ms": 1, "ended_ms": 1}
    operations = Operations()
    async with open_history(settings, operations.seams) as history:
        with pytest.raises(HistoryRefused) as caught:
            await history._writing.run(
                "write", lambda connection: [connection.execute(insert(JOBS), row) for _ in range(2)]
            )
    shown = "".join(traceback.format_exception(caught.value))
    assert "duplicate key" not in shown
    for where in (
        shown,
        repr(operations.ended),
        repr(caught.value.__context__),
        repr(caught.value.__cause__),
    ):
        assert secret not in where


async def test_a_server_that_restarts_is_written_to_again() -> None:
    """While it is away one is told so; if nobody asked meanwhile, nobody hears of it."""
    with postgres_server() as server:
        settings = HistorySettings(url=server.url(), wait=2)
        upgrade(settings)
        async with open_history(settings) as history:
            await history.writer.take([ending(1)])
            await restarted(server, history)
            await history.writer.take([ending(2)])
            await trio.to_thread.run_sync(server.stop)
            await trio.to_thread.run_sync(server.start)
            await history.writer.take([ending(3)])
            assert numbers(await history.search(Search())) == [3, 2, 1]


async def restarted(server: PostgresServer, history: History) -> None:
    """Stop the server, see that it is missed, start it again."""
    await trio.to_thread.run_sync(server.stop)
    for call in (lambda: history.writer.take([ending(2)]), lambda: history.search(Search())):
        with pytest.raises(HistoryUnavailable):
            await call()
    await trio.to_thread.run_sync(server.start)


async def test_a_connection_that_is_killed_in_a_statement_is_replaced(
    postgres: PostgresServer, postgres_url: str
) -> None:
    """Nothing of the transaction stands; the same endings are taken over another one."""
    settings = HistorySettings(url=postgres_url)
    upgrade(settings)
    kill = "SELECT pg_terminate_backend(pg_backend_pid())"
    async with open_history(settings) as history:

        def write_and_die(connection: object) -> None:
            history.writer._write([ending(1)], connection)  # type: ignore[arg-type]
            connection.execute(text(kill))  # type: ignore[attr-defined]

        with pytest.raises(HistoryUnavailable):
            await history._writing.run("write", write_and_die)
        assert await history.read(job_id(1)) is None
        await history.writer.take([ending(1)])
        assert numbers(await history.search(Search(since=START))) == [1]


DRIVERS: list[tuple[Callable[[], Exception], type[PenstockError]]] = [
    (psycopg.errors.DiskFull, HistoryFull),
    (psycopg.errors.ReadOnlySqlTransaction, HistoryReadOnly),
    (psycopg.errors.QueryCanceled, HistoryTooSlow),
    (psycopg.errors.DeadlockDetected, HistoryUnavailable),
    (psycopg.errors.TooManyConnections, HistoryUnavailable),
    (psycopg.errors.AdminShutdown, HistoryUnavailable),
    (psycopg.errors.LockNotAvailable, HistoryUnavailable),
    (psycopg.OperationalError, HistoryUnavailable),
    (psycopg.errors.InsufficientPrivilege, HistoryRefused),
    (psycopg.errors.UndefinedTable, HistoryRefused),
    (psycopg.errors.InvalidTextRepresentation, HistoryRefused),
    (ValueError, HistoryRefused),
]


@pytest.mark.parametrize(("driver", "kind"), DRIVERS)
def test_what_the_driver_says_is_sorted_by_what_one_may_do(
    driver: Callable[[], Exception], kind: type[PenstockError]
) -> None:
    """Wait, make room, ask for less, or ask an operator."""
    assert type(translate(DBAPIError("SELECT 1", None, driver()), "history", KINDS)) is kind
