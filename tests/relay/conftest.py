"""Real servers for what is about servers."""

from collections.abc import Generator

import pytest

from support.cluster import ValkeyCluster, valkey_cluster
from support.process_fixtures import valkey as valkey


@pytest.fixture
def cluster() -> Generator[ValkeyCluster]:
    """A Cluster of one's own, without replicas."""
    with valkey_cluster(3) as masters:
        yield masters
