"""Both databases, for each test one of its own."""

from collections.abc import AsyncGenerator
from pathlib import Path

import pytest

from penstock.engine.job_history import History, HistorySettings, open_history, upgrade
from support.postgres_fixtures import postgres, postgres_url
from support.process_fixtures import start

__all__ = ["postgres", "postgres_url", "start"]


@pytest.fixture(params=["sqlite", "postgresql"])
def bare(request: pytest.FixtureRequest, tmp_path: Path) -> HistorySettings:
    """A database that has no tables yet."""
    if request.param == "sqlite":
        return HistorySettings(url=f"sqlite:///{tmp_path / 'history.db'}")
    return HistorySettings(url=request.getfixturevalue("postgres_url"))


@pytest.fixture
def settings(bare: HistorySettings) -> HistorySettings:
    """A database that is up to date."""
    upgrade(bare)
    return bare


@pytest.fixture
async def history(settings: HistorySettings) -> AsyncGenerator[History]:
    """A history with nothing in it."""
    async with open_history(settings) as opened:
        yield opened


@pytest.fixture
def sqlite(tmp_path: Path) -> HistorySettings:
    """A file that is up to date, for what is SQLite's alone."""
    settings = HistorySettings(url=f"sqlite:///{tmp_path / 'history.db'}", wait=0.2)
    upgrade(settings)
    return settings
