"""What the programs of a control plane are told: arguments, and the files that they read when they start."""

import json
import subprocess
from collections.abc import Sequence
from pathlib import Path

import yaml

from manifests.cluster_api import Api

TOKEN = "administrator"
READY_AFTER = 500
"""Milliseconds from a pod's place to its readiness: an update that takes away too much is seen."""


def etcd(folder: Path, client: int, peer: int) -> Sequence[str]:
    """Arguments of etcd, which answers at one port and would hear others of its kind at the other."""
    return (
        f"--data-dir={folder}/etcd",
        "--unsafe-no-fsync",
        f"--listen-client-urls=http://127.0.0.1:{client}",
        f"--advertise-client-urls=http://127.0.0.1:{client}",
        f"--listen-peer-urls=http://127.0.0.1:{peer}",
        f"--initial-advertise-peer-urls=http://127.0.0.1:{peer}",
        f"--initial-cluster=default=http://127.0.0.1:{peer}",
    )


def api_server(folder: Path, api: Api, store: int) -> Sequence[str]:
    """Arguments of the API server, whose etcd is at the port `store`."""
    return (
        f"--etcd-servers=http://127.0.0.1:{store}",
        f"--cert-dir={folder}",  # where it puts a certificate that it signs itself
        f"--secure-port={api.port}",
        "--bind-address=127.0.0.1",
        "--advertise-address=192.0.2.1",  # nobody's; it may not be this machine's own
        "--endpoint-reconciler-type=none",
        "--service-cluster-ip-range=10.96.0.0/16",
        "--service-account-issuer=https://kubernetes.default.svc",
        f"--service-account-key-file={folder}/accounts.key",
        f"--service-account-signing-key-file={folder}/accounts.key",
        "--authorization-mode=RBAC",
        f"--token-auth-file={folder}/tokens.csv",
    )


def controllers(folder: Path) -> Sequence[str]:
    """Arguments of the controllers; autoscalers look every second, and not every fifteen."""
    return (
        "--leader-elect=false",
        "--secure-port=0",
        f"--root-ca-file={folder}/apiserver.crt",
        f"--service-account-private-key-file={folder}/accounts.key",
        "--horizontal-pod-autoscaler-sync-period=1s",
    )


def kwok(folder: Path) -> Sequence[str]:
    """Arguments of kwok: its pods have addresses that nobody has, and its nodes say that they live."""
    return (
        f"--config={folder}/stages.yaml",
        "--manage-all-nodes",
        "--node-lease-duration-seconds=40",
        "--cidr=198.18.0.0/16",
    )


def write_settings(folder: Path, api: Api, definitions: Path) -> None:
    """The files that the programs read when they start."""
    key = folder / "accounts.key"
    subprocess.run(["openssl", "genrsa", "-out", key, "2048"], check=True, capture_output=True, timeout=60)
    (folder / "tokens.csv").write_text(f'{TOKEN},administrator,administrator,"system:masters"\n')
    cluster = {"server": api.url, "certificate-authority": str(api.certificate)}
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "here", "cluster": cluster}],
        "users": [{"name": "administrator", "user": {"token": TOKEN}}],
        "contexts": [{"name": "here", "context": {"cluster": "here", "user": "administrator"}}],
        "current-context": "here",
    }
    (folder / "kubeconfig").write_text(json.dumps(config))
    stages = [yaml.safe_load(path.read_text()) for path in sorted((definitions / "stages").iterdir())]
    for stage in stages:
        if stage["metadata"]["name"] == "pod-ready":
            stage["spec"]["delay"] = {"durationMilliseconds": READY_AFTER}
    (folder / "stages.yaml").write_text(yaml.safe_dump_all(stages))
