"""What our accounts may ask a real API server for: all that they need, and nothing else."""

from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest
import yaml

from manifests.cluster import Cluster
from manifests.cluster_api import Api, until
from manifests.cluster_overlays import DEV
from manifests.cluster_prometheus import prometheus
from manifests.kustomized import Object, build, named

pytestmark = pytest.mark.slow

NEEDED = {
    "prometheus": {("pods", "list"), ("pods", "watch")},
    "alloy": {("pods", "get"), ("pods", "list"), ("pods", "watch"), ("pods/log", "get")},
    "penstock-api": set[tuple[str, str]](),
    "penstock-worker": set[tuple[str, str]](),
    "penstock-relay": set[tuple[str, str]](),
    "default": set[tuple[str, str]](),  # of those pods that name no other
}
"""Alloy looks at a pod before it gives up on its log."""
STRANGERS = """
apiVersion: v1
kind: Pod
metadata:
  name: stranger
  namespace: NAMESPACE
  annotations: {prometheus.io/scrape: "ASKS", prometheus.io/port: "9100"}
  labels: {app.kubernetes.io/name: stranger, app.kubernetes.io/part-of: penstock}
spec:
  securityContext: {runAsNonRoot: true, runAsUser: 1, seccompProfile: {type: RuntimeDefault}}
  containers:
    - name: stranger
      image: stranger
      ports: [{containerPort: 9100}]
      securityContext: {allowPrivilegeEscalation: false, capabilities: {drop: [ALL]}}
"""


@pytest.fixture(scope="module")
def dev(control_plane: Cluster) -> Generator[Cluster]:
    """The overlay for development, rolled out, for all tests of this file."""
    control_plane.apply(DEV)
    control_plane.rolled_out()
    yield control_plane
    control_plane.clear()


def stranger(cluster: Cluster, namespace: str, asks: str) -> None:
    """A pod that Prometheus has to leave alone."""
    cluster.kubectl("apply", "-f", "-", given=STRANGERS.replace("NAMESPACE", namespace).replace("ASKS", asks))


def expected(pod: Object) -> dict[str, str]:
    """The labels that a pod's series have, and `url`, from where they are read."""
    said, labels = pod["metadata"]["annotations"], pod["metadata"]["labels"]
    address = f"{pod['status']['podIP']}:{said['prometheus.io/port']}"
    wanted = {
        "app": labels["app.kubernetes.io/name"],
        "component": labels.get("app.kubernetes.io/component"),
        "instance": address,
        "job": "penstock",
        "namespace": "penstock",
        "pod": pod["metadata"]["name"],
        "url": f"http://{address}{said['prometheus.io/path']}",
    }
    return {name: value for name, value in wanted.items() if value is not None}


def found(target: Object) -> dict[str, str]:
    """The same of a target that Prometheus has found."""
    return {**target["labels"], "url": target["scrapeUrl"]}


def ordered(several: list[dict[str, str]]) -> list[dict[str, str]]:
    """By pod."""
    return sorted(several, key=lambda one: one["pod"])


def test_prometheus_finds_every_pod_that_asks_for_it_and_no_other(dev: Cluster, tmp_path: Path) -> None:
    """With our settings and its own account: a target for each pod, labelled as dashboards and rules want it.

    One that does not ask and one of another namespace are left out; one that comes later is found.
    """
    dev.kubectl("create", "namespace", "elsewhere")
    until(lambda: bool(dev.api.items("/api/v1/namespaces/elsewhere/serviceaccounts")))
    stranger(dev, "elsewhere", "true")
    stranger(dev, "penstock", "false")

    def asking() -> list[dict[str, str]]:
        pods = [
            one
            for one in dev.pods()
            if one["metadata"].get("annotations", {}).get("prometheus.io/scrape") == "true"
        ]
        return ordered([expected(pod) for pod in pods])

    with prometheus(dev, tmp_path) as server:
        until(lambda: len(server.targets()) >= 4, lambda: server.said)
        assert {one["app"] for one in asking()} == {"penstock", "jaeger"}
        assert ordered(list(map(found, server.targets()))) == asking()

        dev.kubectl("-n", "penstock", "scale", "deployment/penstock-worker", "--replicas=3")
        dev.rolled_out()
        until(lambda: ordered(list(map(found, server.targets()))) == asking(), lambda: server.said)
        assert len(asking()) == 6


@pytest.mark.parametrize("verb", [verb for _, verb in sorted(NEEDED["prometheus"])])
def test_prometheus_needs_every_right_that_it_has(dev: Cluster, tmp_path: Path, verb: str) -> None:
    """With one of its Role's verbs less, its discovery is refused.

    It asks as it does where lists are no streams yet: from those that are, it learns everything by watching.
    """
    role = named(build("k8s/overlays/dev"), "Role", "prometheus")
    less: Any = yaml.safe_load(yaml.safe_dump(role))
    [rule] = less["rules"]
    rule["verbs"].remove(verb)

    change(dev, less)
    try:
        with prometheus(dev, tmp_path, KUBE_FEATURE_WatchListClient="false") as server:
            until(lambda: f"cannot {verb} resource" in server.said, lambda: server.said)
    finally:
        change(dev, role)


def change(cluster: Cluster, one: Object) -> None:
    """Have something as it says here."""
    cluster.kubectl("apply", "--server-side", "-f", "-", given=yaml.safe_dump(one))


@pytest.mark.parametrize("account", NEEDED)
def test_an_account_may_do_what_it_needs_and_nothing_else(dev: Cluster, account: str) -> None:
    """As the API server itself adds it up: no Secrets, no writing, nothing in other namespaces."""
    assert rights(dev, account, "penstock") == NEEDED[account]
    assert rights(dev, account, "kube-system") == set()


def rights(cluster: Cluster, account: str, namespace: str) -> set[tuple[str, str]]:
    """Pairs of resource and verb, but for what everybody has: to ask who one is and what one may."""
    token = cluster.kubectl("-n", "penstock", "create", "token", account)
    itself = Api(cluster.api.url, cluster.api.certificate, token)
    asked = {"spec": {"namespace": namespace}}
    review = itself.post("/apis/authorization.k8s.io/v1/selfsubjectrulesreviews", asked)
    return {
        (resource, verb)
        for rule in review["status"]["resourceRules"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
        if not resource.startswith("selfsubject")
    }
