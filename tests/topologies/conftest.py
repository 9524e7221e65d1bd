"""Servers that several tests may share because none of them hurts them."""

from collections.abc import Generator

import pytest

from support.cluster import ValkeyCluster, valkey_cluster


@pytest.fixture(scope="session")
def cluster() -> Generator[ValkeyCluster]:
    """A Cluster without replicas. Tests use queues of their own and leave every slot with one owner."""
    with valkey_cluster(3) as masters:
        yield masters
