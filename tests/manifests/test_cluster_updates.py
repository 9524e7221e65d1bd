"""What real controllers and a real scheduler make of our rollouts, budgets and spread."""

from collections import Counter
from collections.abc import Generator

import pytest

from manifests.cluster import Cluster
from manifests.cluster_api import Refused, until
from manifests.cluster_overlays import PRODUCTION, before_production
from manifests.cluster_pods import Pods, ready_pods
from manifests.cluster_world import NODES, ZONES
from manifests.kustomized import Object

pytestmark = pytest.mark.slow

REPLICAS = {"api": 3, "worker": 8, "relay": 2}
"""Production's own, and as many workers as a busy day has."""
MORE = {"api": 1, "worker": 2, "relay": 1}
"""How many more there may be while they are replaced: `maxSurge`."""
PODS = "/api/v1/namespaces/penstock/pods"


@pytest.fixture(scope="module")
def deployed(control_plane: Cluster) -> Generator[Cluster]:
    """Production, for all tests of this file."""
    before_production(control_plane)
    control_plane.apply(PRODUCTION)
    yield control_plane
    control_plane.clear()


@pytest.fixture
def production(deployed: Cluster) -> Cluster:
    """Production, rolled out, with `REPLICAS`."""
    scale(deployed, "worker", REPLICAS["worker"])
    scale(deployed, "relay", REPLICAS["relay"])
    until(lambda: len(ready(deployed, "api")) == REPLICAS["api"])  # its autoscaler's doing
    deployed.rolled_out()
    return deployed


def scale(cluster: Cluster, component: str, replicas: int) -> None:
    """As KEDA would."""
    cluster.kubectl("-n", "penstock", "scale", f"deployment/penstock-{component}", f"--replicas={replicas}")


def labels(component: str) -> str:
    """What finds the pods of a component."""
    return f"app.kubernetes.io/name=penstock,app.kubernetes.io/component={component}"


def ready(cluster: Cluster, component: str) -> list[Object]:
    """A component's pods that are."""
    return ready_pods(cluster.pods(labels(component)))


def evict(cluster: Cluster, pod: Object) -> None:
    """What a drain does to each pod of its node; `Refused` when a budget does not allow it."""
    name = pod["metadata"]["name"]
    cluster.api.post(f"{PODS}/{name}/eviction", {"metadata": {"name": name, "namespace": "penstock"}})


@pytest.mark.parametrize("component", REPLICAS)
def test_an_update_takes_no_capacity(production: Cluster, component: str) -> None:
    """While all pods are replaced, never fewer are ready, nor more there than the surge allows."""
    wanted, pods = REPLICAS[component], Pods()
    old = {one["metadata"]["uid"] for one in ready(production, component)}
    fewest, most = wanted, wanted
    with production.api.watched(PODS, labelSelector=labels(component)) as changes:
        production.kubectl("-n", "penstock", "rollout", "restart", f"deployment/penstock-{component}")
        for kind, pod in changes:
            pods.hear(kind, pod)
            if old <= pods.seen:
                fewest, most = min(fewest, len(pods.ready)), max(most, len(pods.staying))
            if len(pods.ready) == wanted and not pods.known & old:
                break

    assert fewest == wanted
    assert most <= wanted + MORE[component]


@pytest.mark.parametrize(("component", "allowed"), [("api", 1), ("worker", 2), ("relay", 1)])
def test_a_drain_takes_what_the_budget_gives_and_waits_for_the_rest(
    production: Cluster, component: str, allowed: int
) -> None:
    """With no place for successors, one API or relay pod or a quarter of the workers may go, and no more.

    Once successors are ready, the next may.
    """
    pods = ready(production, component)
    budget = f"/apis/policy/v1/namespaces/penstock/poddisruptionbudgets/penstock-{component}"
    until(lambda: production.api.get(budget)["status"].get("disruptionsAllowed") == allowed)
    production.kubectl("cordon", *NODES)

    for pod in pods[:allowed]:
        evict(production, pod)
    with pytest.raises(Refused, match="disruption budget") as refused:
        evict(production, pods[allowed])
    production.kubectl("uncordon", *NODES)
    until(lambda: production.api.get(budget)["status"].get("disruptionsAllowed") == allowed)
    evict(production, pods[allowed])

    assert refused.value.status == 429


@pytest.mark.parametrize("component", ["worker", "relay"])
def test_one_pod_alone_blocks_no_drain(production: Cluster, component: str) -> None:
    """A single replica may be moved, too."""
    scale(production, component, 1)
    until(lambda: len(ready(production, component)) == 1)
    budget = f"/apis/policy/v1/namespaces/penstock/poddisruptionbudgets/penstock-{component}"
    until(lambda: production.api.get(budget)["status"]["expectedPods"] == 1)

    [alone] = ready(production, component)
    evict(production, alone)


def test_pods_are_spread_and_stay_spread_when_they_are_replaced(production: Cluster) -> None:
    """API and workers over zones and nodes, relays over nodes; those of an older kind do not count."""
    for _ in range(2):
        production.kubectl("-n", "penstock", "rollout", "restart", "deployment")
        production.rolled_out()
        api, worker, relay = (nodes(production, component) for component in REPLICAS)
        assert {node[0] for node in api} == set(ZONES)
        assert max(Counter(node[0] for node in worker).values()) == 3  # of eight
        assert set(worker) == set(NODES)
        assert len(set(relay)) == REPLICAS["relay"]


def nodes(cluster: Cluster, component: str) -> list[str]:
    """Where its pods are."""
    return [pod["spec"]["nodeName"] for pod in ready(cluster, component)]
