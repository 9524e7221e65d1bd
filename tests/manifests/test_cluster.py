"""A real API server with real controllers takes our manifests as they are, and nodes of kwok "run" them."""

from pathlib import Path

import pytest

from manifests.cluster import Cluster
from manifests.cluster_api import Refused, until
from manifests.cluster_overlays import DEV, before_production, put_together
from manifests.cluster_pods import ready_pods
from manifests.kustomized import DEPLOY

pytestmark = pytest.mark.slow

BASE, MONITORING, OPERATOR = "k8s/base", "k8s/monitoring", "prometheus/operator"
COLLECTOR, HPA = "k8s/components/collector", "k8s/components/hpa"
COMBINED = {
    "production with our monitoring and the operator's": (
        ("k8s/overlays/production", MONITORING, OPERATOR),
        (),
    ),
    "base with a collector, and workers scaled by an adapter's metric": ((BASE,), (COLLECTOR, HPA)),
}
WORKERS = "app.kubernetes.io/name=penstock,app.kubernetes.io/component=worker"
PODS = "/api/v1/namespaces/penstock/pods"


def takes(cluster: Cluster, folder: Path) -> None:
    """It is applied without a warning, everything gets its pods, and a second time changes nothing."""
    cluster.apply(folder)
    cluster.rolled_out()
    pods = {one["metadata"]["uid"] for one in cluster.pods()}
    assert not cluster.kubectl("diff", "--server-side", "-k", str(folder))

    cluster.apply(folder)

    cluster.rolled_out()
    assert pods <= {one["metadata"]["uid"] for one in cluster.pods()}, "pods were replaced"


def test_everything_on_one_cluster_is_taken(cluster: Cluster) -> None:
    """The overlay for development: nothing has to be there before it."""
    takes(cluster, DEV)


@pytest.mark.parametrize("name", COMBINED)
def test_what_people_put_together_is_taken(cluster: Cluster, tmp_path: Path, name: str) -> None:
    """Components and parts that no overlay of ours has, beside the Secrets that are made outside."""
    before_production(cluster)
    cluster.kubectl("-n", "penstock", "create", "secret", "generic", "grafana", "--from-literal=password=a")

    takes(cluster, put_together(tmp_path / "overlay", *COMBINED[name]))


def test_a_field_that_kubernetes_does_not_know_is_refused(cluster: Cluster, tmp_path: Path) -> None:
    """What is taken has been read strictly: a word that is spelt wrong is no setting that is left out."""
    before_production(cluster)
    folder = put_together(tmp_path / "overlay", (BASE,))
    settings = folder / "kustomization.yaml"
    wrong = "[{op: add, path: /spec/unhealthyPodEvictionPolice, value: AlwaysAllow}]"
    settings.write_text(
        f"{settings.read_text()}patches:\n- {{target: {{kind: PodDisruptionBudget}}, patch: '{wrong}'}}\n"
    )

    done = cluster.run("apply", "--server-side", "-k", str(folder))

    assert done.returncode == 1
    assert "unhealthyPodEvictionPolice" in done.stderr


def test_the_namespace_takes_no_pod_with_more_rights(cluster: Cluster) -> None:
    """A pod of somebody else's that runs as root is refused by the API server itself."""
    cluster.kubectl("apply", "--server-side", "-f", str(DEPLOY / "k8s" / "base" / "namespace.yaml"))
    container = {"name": "a", "image": "a", "securityContext": {"runAsUser": 0}}
    pod = {"metadata": {"name": "root"}, "spec": {"containers": [container]}}

    with pytest.raises(Refused, match=r"violates PodSecurity.*restricted") as refused:
        cluster.api.post(PODS, pod)

    assert refused.value.status == 403


def test_workers_stay_as_many_as_they_are_while_the_metric_is_missing(
    cluster: Cluster, tmp_path: Path
) -> None:
    """The autoscaler sees to its least number, and without an answer sends nobody home."""
    before_production(cluster)
    cluster.apply(put_together(tmp_path / "overlay", ("k8s/base",), ("k8s/components/hpa",)))
    until(lambda: len(ready_pods(cluster.pods(WORKERS))) == 2)
    cluster.kubectl("-n", "penstock", "scale", "deployment/penstock-worker", "--replicas=5")
    cluster.rolled_out()
    path = "/apis/autoscaling/v2/namespaces/penstock/horizontalpodautoscalers/penstock-worker"

    def looked() -> bool:
        status = cluster.api.get(path)["status"]
        reasons = {one["type"]: one["reason"] for one in status.get("conditions", ())}
        return status["currentReplicas"] == 5 and reasons.get("ScalingActive") == "FailedGetExternalMetric"

    until(looked)

    assert len(ready_pods(cluster.pods(WORKERS))) == 5
