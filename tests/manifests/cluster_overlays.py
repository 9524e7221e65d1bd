"""Our overlays, and folders of manifests as people would put them together of ours."""

from os.path import relpath
from pathlib import Path

import yaml

from manifests.cluster import Cluster
from manifests.kustomized import DEPLOY

DEV = DEPLOY / "k8s" / "overlays" / "dev"
PRODUCTION = DEPLOY / "k8s" / "overlays" / "production"
SECRETS = {
    "penstock-redis": "--from-literal=url=rediss://user:password@redis.internal:6380/0",
    "penstock-history": "--from-literal=url=postgresql://user:password@db.internal/penstock",
    "penstock-tokens": "--from-literal=tokens.jsonl={}",
}
"""What production wants to be there, made as docs/kubernetes.md says."""


def put_together(folder: Path, resources: tuple[str, ...], components: tuple[str, ...] = ()) -> Path:
    """A folder for kustomize with these of deploy/, by their paths."""
    folder.mkdir()
    content = {
        "namespace": "penstock",
        "resources": [relpath(DEPLOY / one, folder) for one in resources],
        "components": [relpath(DEPLOY / one, folder) for one in components],
    }
    (folder / "kustomization.yaml").write_text(yaml.safe_dump(content))
    return folder


def before_production(cluster: Cluster) -> None:
    """The namespace and the Secrets that are made outside."""
    cluster.kubectl("create", "namespace", "penstock")
    for name, content in SECRETS.items():
        cluster.kubectl("-n", "penstock", "create", "secret", "generic", name, content)
