"""A real Prometheus as its pod would run it: with its arguments, files and account, as if alone on a machine.

Debian sid's, which knows Kubernetes' discovery; the token is one that the API server gave to the account.
"""

import json
import os
import subprocess
import urllib.request
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from manifests.cluster import Cluster
from manifests.kustomized import ROOT, Object
from support.processes import Process, free_port

ACCOUNT = "run/secrets/kubernetes.io/serviceaccount"
"""Where every pod finds who it is, below /."""
ALONE = ("unshare", "--mount", "--map-root-user")
"""A process whose mounts are nobody else's."""
INSIDE = 'mount --bind "$1/run" /run && mount --bind "$1/etc" /etc && shift && exec "$@"'


class Prometheus:
    """What runs; `said` is everything it logged."""

    def __init__(self, url: str, process: Process) -> None:
        self.url = url
        self._process = process

    @property
    def said(self) -> str:
        """Everything that it has logged so far."""
        return "\n".join([*self._process.out, *self._process.err])

    def targets(self) -> list[Object]:
        """What it would read as `penstock`, as it has found it by now."""
        with urllib.request.urlopen(f"{self.url}/api/v1/targets?state=active&scrapePool=penstock") as answer:
            found: list[Any] = json.load(answer)["data"]["activeTargets"]
        return found


@contextmanager
def prometheus(cluster: Cluster, folder: Path, **env: str) -> Generator[Prometheus]:
    """Prometheus with what its Deployment in the cluster says, once it answers."""
    deployment = cluster.api.get("/apis/apps/v1/namespaces/penstock/deployments/prometheus")
    pod = deployment["spec"]["template"]["spec"]
    _mount(cluster, pod, folder)
    address = f"127.0.0.1:{free_port()}"
    instead = {"storage.tsdb.path": str(folder / "data"), "web.listen-address": address}
    command = [*ALONE, "sh", "-c", INSIDE, "sh", str(folder), _program()]
    [container] = pod["containers"]
    for argument in container["args"]:
        name, value = argument.removeprefix("--").split("=", 1)
        command.append(f"--{name}={instead.get(name, value)}")
    here = {"KUBERNETES_SERVICE_HOST": "127.0.0.1", "KUBERNETES_SERVICE_PORT": str(cluster.api.port)}
    process = Process(command, env={**here, **env}, cwd=folder)
    try:
        process.wait_for_line("Server is ready to receive web requests")
        yield Prometheus(f"http://{address}", process)
    finally:
        process.kill()


def _mount(cluster: Cluster, pod: Object, folder: Path) -> None:
    """The account's files and the ConfigMaps, where the pod has them."""
    account = folder / ACCOUNT
    account.mkdir(parents=True)
    token = cluster.kubectl("-n", "penstock", "create", "token", pod["serviceAccountName"])
    (account / "token").write_text(token)
    (account / "namespace").write_text("penstock")
    (account / "ca.crt").write_bytes(cluster.api.certificate.read_bytes())
    [container] = pod["containers"]
    maps = {volume["name"]: volume["configMap"]["name"] for volume in pod["volumes"] if "configMap" in volume}
    for mount in container["volumeMounts"]:
        if mount["name"] in maps:
            there = folder / mount["mountPath"].lstrip("/")
            there.mkdir(parents=True)
            path = f"/api/v1/namespaces/penstock/configmaps/{maps[mount['name']]}"
            for name, text in cluster.api.get(path)["data"].items():
                (there / name).write_text(text)


def _program() -> str:
    """Prometheus' path; without it, or where nothing may be mounted, the test is skipped with the reason."""
    may = subprocess.run([*ALONE, "true"], capture_output=True, text=True, timeout=60, check=False)
    if may.returncode != 0:
        pytest.skip(f"nothing may be mounted here: {may.stderr.strip()}")
    command = [ROOT / ".ci" / "cluster-prometheus"]
    found = subprocess.run(command, capture_output=True, text=True, timeout=600, check=False)
    if found.returncode == 0:
        return f"{found.stdout.strip()}/prometheus"
    if os.environ.get("CI") == "true":
        pytest.fail(f"in CI there must be Prometheus: {found.stderr}")
    pytest.skip(found.stderr.strip().splitlines()[-1])
