"""A real Kubernetes: etcd, API server, controllers, scheduler, and kwok in the place of kubelets.

`.ci/cluster` builds the programs; where they are not, the test is skipped with the reason. Six nodes in three
zones, and pods that are ready half a second after they were placed. Nothing runs in them.
"""

import os
import subprocess
from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
import yaml

from manifests.cluster_api import Api, until
from manifests.cluster_settings import TOKEN, api_server, controllers, etcd, kwok, write_settings
from manifests.cluster_world import NODES, world
from manifests.kustomized import ROOT, Object
from support.processes import Process, free_port


class Cluster:
    """What runs: `api` asks the API server, `kubectl` is kubectl, both as an administrator."""

    def __init__(self, folder: Path, programs: Path, api: Api) -> None:
        self.folder = folder
        self.programs = programs
        self.api = api

    def run(self, *arguments: str, given: str = "") -> subprocess.CompletedProcess[str]:
        """What becomes of a `kubectl` command, which gets `given` as its input."""
        home = {
            "PATH": os.environ["PATH"],
            "HOME": str(self.folder),
            "KUBECONFIG": f"{self.folder}/kubeconfig",
        }
        command = [str(self.programs / "kubectl"), *arguments]
        return subprocess.run(
            command, env=home, input=given, capture_output=True, text=True, timeout=120, check=False
        )

    def kubectl(self, *arguments: str, given: str = "") -> str:
        """What a `kubectl` command prints; it may not fail, nor warn."""
        done = self.run(*arguments, given=given)
        assert done.returncode == 0, done.stderr
        assert not done.stderr, done.stderr
        return done.stdout

    def apply(self, folder: Path) -> None:
        """As docs/kubernetes.md has it; refused by nobody, and warned of nothing."""
        self.kubectl("apply", "--server-side", "-k", str(folder))

    def rolled_out(self, namespace: str = "penstock") -> None:
        """Return once each Deployment and StatefulSet has its pods, ready and all of the newest kind."""
        for kind in ("deployments", "statefulsets"):
            for one in self.api.items(f"/apis/apps/v1/namespaces/{namespace}/{kind}"):
                name = f"{kind}/{one['metadata']['name']}"
                self.kubectl("-n", namespace, "rollout", "status", "--timeout=100s", name)

    def pods(self, labels: str = "", namespace: str = "penstock") -> list[Object]:
        """Pods with these labels, but for those that end."""
        found = self.api.items(f"/api/v1/namespaces/{namespace}/pods", labelSelector=labels)
        return [one for one in found if "deletionTimestamp" not in one["metadata"]]

    def clear(self) -> None:
        """Return once only the cluster's own namespaces are left, and pods may be placed anywhere."""
        own = {"default", "kube-system", "kube-public", "kube-node-lease"}
        names = {one["metadata"]["name"] for one in self.api.items("/api/v1/namespaces")} - own
        for name in names:
            # Pods first: a namespace waits for half of the time that its slowest pod may take to end.
            everything = "deployments,statefulsets,pods"
            self.run("-n", name, "delete", everything, "--all", "--cascade=foreground", "--timeout=60s")
            self.run("delete", "namespace", name, "--wait=false")
        self.run("uncordon", *NODES)
        until(lambda: {one["metadata"]["name"] for one in self.api.items("/api/v1/namespaces")} == own)


@contextmanager
def cluster(folder: Path) -> Generator[Cluster]:
    """A control plane with nodes, volumes and the custom resources that our manifests name."""
    programs, definitions = _made_by("cluster"), _made_by("cluster-definitions")
    api = Api(f"https://127.0.0.1:{free_port()}", folder / "apiserver.crt", TOKEN)
    with ExitStack() as stack:

        def start(program: str, *arguments: str) -> None:
            command = [str(programs / program), *arguments]
            process = Process(command, env={"HOME": str(folder)}, cwd=folder)
            stack.callback(process.kill)
            started.append(process)

        started: list[Process] = []
        write_settings(folder, api, definitions)
        store = free_port(), free_port()
        start("etcd", *etcd(folder, *store))
        start("kube-apiserver", *api_server(folder, api, store[0]))
        until(api.ready, lambda: "\n".join(map(str, started)))
        config = f"--kubeconfig={folder}/kubeconfig"
        start("kube-controller-manager", config, *controllers(folder))
        start("kube-scheduler", config, "--leader-elect=false", "--secure-port=0")
        start("kwok", config, *kwok(folder))
        running = Cluster(folder, programs, api)
        running.run("apply", "--server-side", "-f", str(definitions / "crds"))
        running.kubectl("apply", "--server-side", "-f", "-", given=yaml.safe_dump_all(world()))
        yield running


def _made_by(script: str) -> Path:
    """The folder that a script in .ci has made; where it has not, the test is skipped with its reason."""
    command = [str(ROOT / ".ci" / script), "--if-built"]
    found = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    if found.returncode != 0:
        pytest.skip(found.stderr.strip())
    return Path(found.stdout.strip())
