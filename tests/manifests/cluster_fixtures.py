"""A cluster for whoever asks: its control plane starts once, and every test finds it empty."""

from collections.abc import Generator

import pytest

from manifests.cluster import Cluster
from manifests.cluster import cluster as running_cluster


@pytest.fixture(scope="session")
def control_plane(tmp_path_factory: pytest.TempPathFactory) -> Generator[Cluster]:
    """The processes; they take some seconds to start."""
    with running_cluster(tmp_path_factory.mktemp("cluster")) as running:
        yield running


@pytest.fixture
def cluster(control_plane: Cluster) -> Generator[Cluster]:
    """The same, in which nobody has left anything."""
    yield control_plane
    control_plane.clear()
