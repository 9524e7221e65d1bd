"""Proofs on real servers: one for a pytest process, or one of a test's own."""

from collections.abc import Generator, Iterator

import pytest

from support.process_fixtures import start as start
from support.process_fixtures import valkey as valkey
from support.redis_server import ValkeyServer, valkey_server


@pytest.fixture(scope="session")
def server() -> Iterator[ValkeyServer]:
    """A server for this pytest process; tests on it begin by emptying it."""
    with valkey_server() as running:
        yield running


@pytest.fixture
def own_server() -> Generator[ValkeyServer]:
    """A server that a test may configure, fill and count on."""
    with valkey_server() as running:
        yield running
