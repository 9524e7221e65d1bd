"""`penstock dev --outbox-url`: what was submitted in a database runs without another process."""

from pathlib import Path

from sqlalchemy import Engine, select

from penstock.engine.sql_outbox import TABLE, OutboxSettings, SqlOutbox
from sql_outbox.rig import ship
from support.processes import Start

APP = "sql_outbox.rig:shop"
BIND = ("--bind", "127.0.0.1:0")


def submitted(database: Engine, order: int) -> str:
    """Submit one order; how the log tells that its job has ended."""
    with database.begin() as connection:
        job = SqlOutbox().submit(connection, ship, order)
    return rf'"event":"job finished".*{job.id}|{job.id}.*"event":"job finished"'


def test_jobs_of_a_database_are_moved_and_run(
    start: Start, database: Engine, settings: OutboxSettings
) -> None:
    """Those from before its start and those that come later; the table is empty when it has ended."""
    early = submitted(database, 1)
    dev = start("dev", APP, *BIND, "--outbox-url", settings.url, "--log-format", "json")
    dev.wait_for_line(early)
    dev.wait_for_line(submitted(database, 2))
    assert dev.terminate() == 0, str(dev)
    with database.connect() as connection:
        assert connection.execute(select(TABLE.c.id)).all() == []


def test_a_database_without_the_table_is_said_in_one_line(start: Start, tmp_path: Path) -> None:
    """With the command that makes it, and exit code 2: nothing makes a table in others' databases unasked."""
    (tmp_path / "shop.db").touch()
    dev = start("dev", APP, *BIND, "--outbox-url", f"sqlite:///{tmp_path / 'shop.db'}")
    assert dev.wait() == 2
    dev.wait_for_line("penstock migrate --outbox-url")
