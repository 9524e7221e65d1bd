"""Fixtures for tests of whole processes, re-exported by the conftest of each folder that wants them."""

from collections.abc import Generator
from pathlib import Path

import pytest

from support.processes import Start, processes
from support.redis_server import DURABLE, ValkeyServer, valkey_server


@pytest.fixture
def start(tmp_path: Path) -> Generator[Start]:
    """Start `penstock` with arguments and variables, in a folder of the test's own."""
    with processes(tmp_path) as starter:
        yield starter


@pytest.fixture
def valkey() -> Generator[ValkeyServer]:
    """A server that nobody else uses."""
    with valkey_server(*DURABLE, tcp=True) as server:
        yield server
