"""Only a database with the tables that this version knows is opened; otherwise one is told what to do."""

import os
import sqlite3
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import msgspec
import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import text

from job_history.endings import ending, numbers
from penstock.engine.errors import ConfigurationError
from penstock.engine.job_history import (
    HistorySettings,
    HistoryUnavailable,
    Search,
    current,
    open_history,
    upgrade,
)
from penstock.engine.job_history.migrating import newest
from penstock.engine.job_history.schema import METADATA, VERSION_TABLE
from penstock.engine.job_history.settings import UPGRADE
from penstock.engine.sql.engines import make_engine
from support.processes import Start, free_port


def execute(settings: HistorySettings, sql: str) -> None:
    """Do something to the database behind the history's back."""
    engine = make_engine(settings, "migrate")
    with engine.begin() as connection:
        connection.execute(text(sql))
    engine.dispose()


async def refused(settings: HistorySettings) -> str:
    """Why it is not opened."""
    with pytest.raises(ConfigurationError) as caught:
        async with open_history(settings):
            pytest.fail("it was opened")
    return str(caught.value)


async def test_a_database_without_tables_is_not_opened(bare: HistorySettings) -> None:
    """The command that makes them is named; nothing was made meanwhile."""
    assert UPGRADE in await refused(bare)
    assert current(bare) is None


async def test_a_mistyped_path_becomes_no_database(tmp_path: Path) -> None:
    """The path and the command are named, and no empty file is left."""
    settings = HistorySettings(url=f"sqlite:///{tmp_path / 'histroy.db'}")
    reason = await refused(settings)
    assert "histroy.db" in reason
    assert UPGRADE in reason
    assert os.listdir(tmp_path) == []


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    """SQLite would only say that it cannot open a file."""
    settings = HistorySettings(url=f"sqlite:///{tmp_path / 'histroy' / 'history.db'}")
    assert current(settings) is None
    with pytest.raises(ConfigurationError, match="/histroy is not there"):
        upgrade(settings)


async def test_tables_of_a_newer_version_are_left_alone(settings: HistorySettings) -> None:
    """Neither opened nor migrated: this version does not know what they mean."""
    execute(settings, f"UPDATE {VERSION_TABLE} SET version_num = '9999'")
    assert "newer" in await refused(settings)
    with pytest.raises(ConfigurationError, match=r"9999.*newer"):
        upgrade(settings)
    assert current(settings) == "9999"


async def test_tables_of_an_older_version_are_not_opened(
    settings: HistorySettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They have to be brought up to date first, by the command that is named."""
    monkeypatch.setattr("penstock.engine.job_history.migrating.newest", lambda: "0002")
    reason = await refused(settings)
    assert "older than 0002" in reason
    assert UPGRADE in reason


async def test_migrating_again_keeps_what_is_there(settings: HistorySettings) -> None:
    """Whoever starts a process may migrate first, each time."""
    async with open_history(settings) as history:
        await history.writer.take([ending(1)])
    upgrade(settings)
    assert current(settings) == newest()
    async with open_history(settings) as history:
        assert numbers(await history.search(Search())) == [1]


def test_several_may_migrate_at_once(bare: HistorySettings) -> None:
    """As processes do that start together: one does it, the others find it done."""
    with ThreadPoolExecutor(4) as threads:
        for done in [threads.submit(upgrade, bare) for _ in range(4)]:
            done.result(60)
    assert current(bare) == newest()


def test_migrations_make_the_tables_that_the_code_describes(settings: HistorySettings) -> None:
    """Tables, columns, keys and indexes: Alembic finds nothing to add or to remove."""
    engine = make_engine(settings, "read")
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"version_table": VERSION_TABLE})
        differences = compare_metadata(context, METADATA)
    engine.dispose()
    assert differences == []


def test_partial_indexes_say_the_same_in_code_and_in_migrations(sqlite: HistorySettings) -> None:
    """Alembic does not compare their conditions, and SQLite uses them only if it finds the same words."""
    migrated = _indexes(sqlite)
    fresh = msgspec.structs.replace(sqlite, url=sqlite.url + ".fresh")
    engine = make_engine(fresh, "migrate")
    with engine.begin() as connection:
        METADATA.create_all(connection)
    engine.dispose()
    assert migrated == _indexes(fresh)
    assert sum(" WHERE " in sql for sql in migrated) == 4


def _indexes(settings: HistorySettings) -> set[str]:
    with sqlite3.connect(settings.url.removeprefix("sqlite:///")) as connection:
        found = connection.execute("SELECT sql FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL")
        indexes = {sql for (sql,) in found}
    connection.close()
    return indexes


@pytest.mark.parametrize(
    "url",
    [
        "",
        "history.db",
        "sqlite://",
        "sqlite:///:memory:",
        "sqlite:///file:x?mode=memory",
        "mysql://u:hunter2@h/d",
        "postgresql://u:hunter2@h:port/d",
    ],
)
def test_an_address_that_cannot_be_used_is_told_at_once(url: str) -> None:
    """Without the password that it may hold."""
    with pytest.raises(ConfigurationError) as caught:
        HistorySettings(url=url)
    assert "hunter2" not in str(caught.value)


def test_settings_do_not_show_a_password() -> None:
    """They appear in tracebacks and logs."""
    assert "hunter2" not in repr(HistorySettings(url="postgresql://u:hunter2@h/d"))


@pytest.mark.parametrize(
    "change", [{"readers": 0}, {"wait": 0.0}, {"read_within": -1.0}, {"write_within": 1e9}]
)
def test_settings_have_bounds(change: dict[str, float]) -> None:
    """A wait of no time serves nobody, and one without end is none that can be trusted."""
    with pytest.raises(ConfigurationError):
        HistorySettings(url="sqlite:///h.db", **change)  # type: ignore[arg-type]


async def test_a_server_that_is_not_there_is_unavailable() -> None:
    """Not a wrong setting: it may come back."""
    settings = HistorySettings(url=f"postgresql://u:hunter2@127.0.0.1:{free_port()}/d", wait=1)
    with pytest.raises(HistoryUnavailable, match="does not serve now") as caught:
        async with open_history(settings):
            pytest.fail("it was opened")
    assert "hunter2" not in str(caught.value)


def test_the_command_that_is_named_works(start: Start, tmp_path: Path) -> None:
    """As it stands in the texts of errors."""
    settings = HistorySettings(url=f"sqlite:///{tmp_path / 'history.db'}")
    penstock, command = UPGRADE.split()
    assert penstock == "penstock"
    assert start(command, "--history-url", settings.url).wait() == 0
    assert current(settings) == newest()


def test_without_its_libraries_the_extra_is_named(tmp_path: Path) -> None:
    """Whoever does not keep a history need not have installed them; the rest of the engine does without."""
    code = (
        "import sys\n"
        "sys.modules['sqlalchemy'] = None\n"
        "import penstock.engine\n"
        "from penstock.engine.errors import ConfigurationError\n"
        "try:\n"
        "    import penstock.engine.job_history\n"
        "except ConfigurationError as error:\n"
        "    print(error)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True, cwd=tmp_path
    )
    assert "penstock[history]" in done.stdout


def test_without_its_driver_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """PostgreSQL's is an extra of its own."""
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(ConfigurationError, match=r"penstock\[postgresql\]"):
        make_engine(HistorySettings(url="postgresql://u@h/d"), "read")
