"""A PostgreSQL server, and an empty database in it for each test; for a `conftest.py` to import."""

import itertools
import os
from collections.abc import Generator

import pytest

from support.postgres import PostgresServer, postgres_server

_numbers = itertools.count()


@pytest.fixture(scope="session")
def postgres() -> Generator[PostgresServer]:
    """One server for all tests of this process; each makes databases of its own in it."""
    with postgres_server() as server:
        yield server


@pytest.fixture
def postgres_url(postgres: PostgresServer) -> str:
    """An empty database in PostgreSQL."""
    name = f"test_{os.getpid()}_{next(_numbers)}"
    postgres.query(f"CREATE DATABASE {name}")
    return postgres.url(name)
