"""A database that does not fit is refused with what to do; one that is away is waited for."""

import json
import os
from pathlib import Path

import pytest
import trio
from sqlalchemy import Engine, create_engine, text
from sqlalchemy.pool import NullPool

from penstock.engine.errors import ConfigurationError
from penstock.engine.memory_store import MemoryStore
from penstock.engine.sql.settings import database_url
from penstock.engine.sql_outbox import (
    TABLE,
    OutboxRelay,
    OutboxSettings,
    OutboxUnavailable,
    Recovered,
    SqlOutbox,
    Troubled,
    create,
    discard,
    look,
    put_back,
)
from sql_outbox.rig import Site, at_work, ship
from support.postgres import PostgresServer, postgres_server
from support.processes import Start
from support.redis_server import ValkeyServer


async def refused(url: str) -> str:
    """Why a relay does not begin."""
    with pytest.raises(ConfigurationError) as caught:
        await OutboxRelay(OutboxSettings(url=url), MemoryStore()).run()
    return str(caught.value)


async def test_a_database_without_the_table_is_refused(url: str, database_bare: Engine) -> None:
    """Both ways to make it are named; nothing was made meanwhile."""
    with database_bare.begin() as connection:
        connection.execute(text("CREATE TABLE orders (number INTEGER)"))
    reason = await refused(url)
    assert "penstock migrate --outbox-url" in reason
    assert "penstock.engine.sql_outbox.METADATA" in reason


async def test_a_table_of_an_older_version_is_refused(settings: OutboxSettings, database: Engine) -> None:
    """The columns are named that it lacks."""
    with database.begin() as connection:
        connection.execute(text("ALTER TABLE penstock_outbox DROP COLUMN wait_replicas"))
    assert "lacks wait_replicas" in await refused(settings.url)
    with pytest.raises(ConfigurationError, match="wait_replicas"):
        create(settings)


async def test_a_file_that_is_not_there_is_no_outbox(tmp_path: Path) -> None:
    """A mistyped path becomes no empty database."""
    assert "shpo.db is not there" in await refused(f"sqlite:///{tmp_path / 'shpo.db'}")
    assert os.listdir(tmp_path) == []


def test_the_applications_file_keeps_its_journal(tmp_path: Path) -> None:
    """Making the table, or moving rows, does not turn a database into one with a write-ahead log."""
    settings = OutboxSettings(url=f"sqlite:///{tmp_path / 'shop.db'}")
    assert create(settings)
    assert not create(settings)
    assert [each.name for each in tmp_path.iterdir()] == ["shop.db"]


@pytest.mark.parametrize(
    "wrong", [{"batch": 0}, {"poll": 0}, {"silence": 0.5}, {"wait": 0}, {"url": "ftp://x"}]
)
def test_settings_that_cannot_be_are_refused(wrong: dict[str, object]) -> None:
    """With the outbox named, not the history."""
    with pytest.raises(ConfigurationError, match="outbox"):
        OutboxSettings(**({"url": "sqlite:///shop.db"} | wrong))  # type: ignore[arg-type]


async def test_a_database_that_goes_away_is_waited_for() -> None:
    """Its trouble is told once, and its end; what was committed is moved then."""
    with postgres_server() as server:
        settings = OutboxSettings(url=server.url(), poll=0.01, wait=2)
        create(settings)
        await _moved_after(server, settings)


async def _moved_after(server: PostgresServer, settings: OutboxSettings) -> None:
    from sqlalchemy import create_engine

    from sql_outbox.rig import at_work

    async with at_work(
        settings, create_engine(database_url(settings.url, "shop"), poolclass=NullPool)
    ) as site:
        relay = site.relay()
        await site.until(lambda: relay.ready)
        await trio.to_thread.run_sync(server.stop)
        await site.until(lambda: any(isinstance(fact, Troubled) for fact in site.told))
        await trio.to_thread.run_sync(server.start)
        [job] = site.ship(1)
        await site.moved()
        assert await site.job(job) is not None
    trouble = [fact for fact in site.told if isinstance(fact, Troubled)]
    assert (trouble[0].what, trouble[0].failures, type(trouble[0].error)) == (
        "database",
        1,
        OutboxUnavailable,
    )
    assert isinstance(site.told[-1], Recovered)


async def test_a_locked_file_is_waited_for(tmp_path: Path) -> None:
    """An application that writes for a long time in SQLite keeps its jobs waiting, and no more."""
    settings = OutboxSettings(url=f"sqlite:///{tmp_path / 'shop.db'}", poll=0.01, wait=0.1)
    create(settings)
    async with at_work(settings, create_engine(settings.url)) as site:
        site.ship(1)
        with site.database.connect() as connection:
            connection.execute(text("BEGIN IMMEDIATE"))
            site.relay()
            await site.until(lambda: any(isinstance(fact, Troubled) for fact in site.told))
            connection.rollback()
        await site.moved()
    site.database.dispose()


async def test_an_operator_decides_about_rows_that_were_set_aside(site: Site) -> None:
    """Seen with their reason; put back they are moved as new ones are, discarded they are gone."""
    first, second = site.ship(1, 2)
    long_ago = {"sent_ms": TABLE.c.submitted_ms - 40 * 24 * 3_600_000}
    site.change(TABLE.update().values(long_ago))
    relay = site.relay()
    await site.moved()
    facts, aside = look(site.settings)
    assert (facts.waiting, facts.aside, facts.oldest) == (0, 2, None)
    assert {row.id for row in aside} == {first, second}
    assert all(row.reason.startswith("in_doubt") for row in aside)

    assert (put_back(site.settings, [first]), discard(site.settings, [second, "orders.x"])) == (1, 1)
    assert (put_back(site.settings, [second]), discard(site.settings, [first])) == (0, 0)
    assert relay.ended.is_set()
    site.relay()
    await site.moved()
    assert site.rows() == []
    assert await site.job(first) is not None
    assert await site.job(second) is None


@pytest.mark.slow
def test_the_command_line_makes_the_table_moves_rows_and_shows_them(
    start: Start, valkey: ValkeyServer, url: str, database_bare: Engine
) -> None:
    """`migrate`, `outbox`, `relay` and its figures, on one address."""
    where = ("--outbox-url", url)
    with_nothing = start("outbox")
    assert with_nothing.wait() == 2
    with_nothing.wait_for_line("PENSTOCK_OUTBOX_URL")
    start("migrate", *where).wait_for_line("the outbox's table is there$")
    start("migrate", *where).wait_for_line("the outbox's table is there, as before")
    with database_bare.begin() as connection:
        good, bad = [SqlOutbox().submit(connection, ship, order).id for order in (1, 2)]
        connection.execute(TABLE.update().where(TABLE.c.id == bad).values(args=b"\xc1"))
    start("outbox", *where).wait_for_line(r"2 waiting, the oldest \d+\.\d s old; 0 set aside")
    relay = start(
        "relay", "sql_outbox.rig:shop", *where, "--redis", valkey.url, "--metrics-bind", "127.0.0.1:0"
    )
    relay.wait_for_line("rows of the outbox set aside, they cannot be moved")
    assert relay.terminate() == 0
    shown = start("outbox", *where)
    shown.wait_for_line(f"{bad} shop.ship - malformed: ")
    listed = start("outbox", *where, "--json")
    assert listed.wait() == 0
    head, row = map(json.loads, listed.out)
    assert (head["waiting"], head["aside"], row["id"]) == (0, 1, bad)
    start("outbox", *where, "--retry", bad, "--retry", good).wait_for_line("1 of 2 to be moved")
    start("outbox", *where, "--discard", bad).wait_for_line("0 of 1 discarded")


def test_a_relay_without_the_table_ends_with_one_line(
    start: Start, valkey: ValkeyServer, tmp_path: Path
) -> None:
    """Exit code 2, and the command to give."""
    (tmp_path / "shop.db").touch()
    where = ("--outbox-url", f"sqlite:///{tmp_path / 'shop.db'}", "--redis", valkey.url)
    relay = start("relay", "sql_outbox.rig:shop", *where)
    assert relay.wait() == 2
    relay.wait_for_line("penstock migrate --outbox-url")
