from collections.abc import Iterator

import pytest

from support.redis_server import ValkeyServer, valkey_server


@pytest.fixture(scope="session")
def valkey() -> Iterator[ValkeyServer]:
    """One server for all tests of this process; use keys and channels of your own on it."""
    with valkey_server(tcp=True) as server:
        yield server
