"""Both databases, for each test one of its own, as an application has them."""

from collections.abc import AsyncGenerator, Generator
from pathlib import Path

import pytest
from sqlalchemy import Engine, create_engine
from sqlalchemy.pool import NullPool

from penstock.engine.sql.settings import database_url
from penstock.engine.sql_outbox import OutboxSettings, create
from sql_outbox.rig import Site, at_work
from support.postgres_fixtures import postgres, postgres_url
from support.process_fixtures import start, valkey

__all__ = ["postgres", "postgres_url", "start", "valkey"]


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The application's database, without any table yet."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'shop.db'}"
    address: str = request.getfixturevalue("postgres_url")
    return address


@pytest.fixture
def settings(url: str) -> OutboxSettings:
    """The same with the outbox's table, looked at often."""
    settings = OutboxSettings(url=url, poll=0.01, look=0.01)
    create(settings)
    return settings


@pytest.fixture
def database(settings: OutboxSettings) -> Generator[Engine]:
    """The application's own engine."""
    engine = create_engine(database_url(settings.url, "shop"), poolclass=NullPool)
    yield engine
    engine.dispose()


@pytest.fixture
async def site(settings: OutboxSettings, database: Engine) -> AsyncGenerator[Site]:
    """The application, a broker in memory, and relays that a test starts."""
    async with at_work(settings, database) as site:
        yield site


@pytest.fixture
def database_bare(url: str) -> Generator[Engine]:
    """The application's own engine, on a database without the outbox's table."""
    engine = create_engine(database_url(url, "shop"), poolclass=NullPool)
    yield engine
    engine.dispose()
