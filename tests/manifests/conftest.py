"""Real processes, a server of one's own for those that need one, and a cluster."""

from manifests.cluster_fixtures import cluster as cluster
from manifests.cluster_fixtures import control_plane as control_plane
from support.process_fixtures import start as start
from support.process_fixtures import valkey as valkey
