"""What every overlay keeps to, whatever it adds."""

import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import pytest

from manifests.kustomized import (
    DEPLOY,
    FOLDERS,
    OVERLAYS,
    WORKLOADS,
    Object,
    build,
    build_at,
    containers,
    of_kind,
    pods,
    selects,
)

MADE_OUTSIDE = {"penstock-redis", "penstock-history", "penstock-tokens"}
"""Secrets of production; docs/kubernetes.md says how they are made."""


@pytest.mark.parametrize("folder", FOLDERS)
def test_a_folder_builds_into_one_namespace(folder: str) -> None:
    """Each builds, and everything that has a namespace is in penstock."""
    objects = build(folder)

    assert objects
    assert {one["metadata"].get("namespace", "penstock") for one in objects} == {"penstock"}


@pytest.mark.parametrize("folder", OVERLAYS)
def test_images_are_named_exactly(folder: str) -> None:
    """No image is whatever is newest today."""
    for name, pod in pods(build(folder)):
        for container in containers(pod):
            tag = container["image"].rpartition("/")[2].partition(":")[2]
            assert tag, f"{name}: {container['image']} has no tag"
            assert tag != "latest", name


@pytest.mark.parametrize("folder", OVERLAYS)
def test_pods_are_kept_in(folder: str) -> None:
    """No pod is root, has a privilege, or writes anywhere but into its volumes; memory is bounded."""
    for name, pod in pods(build(folder)):
        context = pod["spec"]["securityContext"]
        assert context["runAsNonRoot"], name
        assert context["runAsUser"] > 0, name
        assert context["seccompProfile"] == {"type": "RuntimeDefault"}, name
        assert pod["spec"]["enableServiceLinks"] is False, name
        for container in containers(pod):
            assert container["securityContext"] == {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            }, name
            assert container["resources"]["limits"]["memory"], name
            assert set(container["resources"]["requests"]) == {"cpu", "memory"}, name


@pytest.mark.parametrize("folder", OVERLAYS)
def test_only_those_who_ask_kubernetes_have_a_token(folder: str) -> None:
    """A token is mounted where a Role gives it something to read, and nowhere else; no Role reads Secrets."""
    objects = build(folder)
    bound = {one["subjects"][0]["name"] for one in of_kind(objects, "RoleBinding")}

    for name, pod in pods(objects):
        account = pod["spec"].get("serviceAccountName", "default")
        assert pod["spec"]["automountServiceAccountToken"] is (account in bound), name
    for role in of_kind(objects, "Role"):
        assert all({"pods", "pods/log"} >= set(rule["resources"]) for rule in role["rules"])
        assert all({"get", "list", "watch"} >= set(rule["verbs"]) for rule in role["rules"])
    assert not of_kind(objects, "ClusterRole", "ClusterRoleBinding")
    assert all(one["automountServiceAccountToken"] is False for one in of_kind(objects, "ServiceAccount"))


@pytest.mark.parametrize("folder", OVERLAYS)
def test_what_is_referred_to_exists(folder: str) -> None:
    """Every ConfigMap, Secret, account and claim that a pod names is there, or is said to be made outside."""
    objects = build(folder)
    there = {(one["kind"], one["metadata"]["name"]) for one in objects}
    outside = {("Secret", name) for name in MADE_OUTSIDE} if folder.endswith("production") else set[Any]()

    wanted = {reference for _, pod in pods(objects) for reference in _references(pod["spec"])}

    assert wanted <= there | outside


@pytest.mark.parametrize("folder", OVERLAYS)
def test_services_reach_ports_that_are_served(folder: str) -> None:
    """Every Service selects pods, and each of its ports is a named port of theirs."""
    objects = build(folder)
    for service in of_kind(objects, "Service"):
        chosen = [pod for _, pod in pods(objects) if _chosen(service["spec"]["selector"], pod)]
        assert chosen, service["metadata"]["name"]
        for port in service["spec"]["ports"]:
            assert all(port["targetPort"] in _named_ports(pod) for pod in chosen), port


@pytest.mark.parametrize("folder", OVERLAYS)
def test_budgets_and_scalers_mean_pods_that_exist(folder: str) -> None:
    """Every disruption budget selects pods; whatever scales or is mounted names a workload."""
    objects = build(folder)
    names = {(one["kind"], one["metadata"]["name"]) for one in of_kind(objects, *WORKLOADS)}
    for budget in of_kind(objects, "PodDisruptionBudget"):
        assert any(_chosen(budget["spec"]["selector"]["matchLabels"], pod) for _, pod in pods(objects))
    for scaler in of_kind(objects, "HorizontalPodAutoscaler", "ScaledObject"):
        target = scaler["spec"]["scaleTargetRef"]
        assert (target["kind"], target["name"]) in names


@pytest.mark.parametrize("folder", OVERLAYS)
def test_what_is_scaled_has_no_number_of_its_own(folder: str) -> None:
    """A Deployment that a scaler has says no `replicas`, or each `kubectl apply` would set it back."""
    objects = build(folder)
    scaled = {
        one["spec"]["scaleTargetRef"]["name"]
        for one in of_kind(objects, "HorizontalPodAutoscaler", "ScaledObject")
    }

    assert (
        not {one["metadata"]["name"] for one in of_kind(objects, "Deployment") if "replicas" in one["spec"]}
        & scaled
    )


@pytest.mark.parametrize("folder", OVERLAYS)
def test_settings_that_others_wait_for_come_first(folder: str) -> None:
    """A variable that is put together from others stands behind them: Kubernetes reads from top to bottom."""
    for name, pod in pods(build(folder)):
        for container in containers(pod):
            known = set[str]()
            for variable in container.get("env", ()):
                assert set(re.findall(r"\$\((\w+)\)", variable.get("value", ""))) <= known, (name, variable)
                known.add(variable["name"])


@pytest.mark.parametrize("folder", OVERLAYS)
def test_configmaps_are_small_enough(folder: str) -> None:
    """Kubernetes keeps no ConfigMap of more than a MiB."""
    for one in of_kind(build(folder), "ConfigMap"):
        assert sum(len(text.encode()) for text in one["data"].values()) < 1_000_000, one["metadata"]["name"]


@pytest.mark.parametrize(
    ("component", "kind"),
    [("keda", "ScaledObject"), ("hpa", "HorizontalPodAutoscaler"), ("collector", "StatefulSet")],
)
def test_a_component_can_be_added(component: str, kind: str, tmp_path: Path) -> None:
    """Each component builds on top of base, and leaves its three processes as they are."""
    k8s = os.path.relpath(DEPLOY / "k8s", tmp_path)
    wanted = {
        "namespace": "penstock",
        "resources": [f"{k8s}/base"],
        "components": [f"{k8s}/components/{component}"],
    }
    (tmp_path / "kustomization.yaml").write_text(json.dumps(wanted))  # JSON is YAML

    added = {one["kind"] for one in build_at(tmp_path)} - {one["kind"] for one in build("k8s/base")}

    assert added == {kind}
    assert len(of_kind(build_at(tmp_path), "Deployment")) == 3


def _chosen(labels: dict[str, str], pod: Object) -> bool:
    return selects({"matchLabels": labels}, pod["metadata"]["labels"])


def _named_ports(pod: Object) -> set[str]:
    return {port["name"] for container in containers(pod) for port in container.get("ports", ())}


_NAMED_BY = {
    "configMap": ("ConfigMap", "name"),
    "configMapRef": ("ConfigMap", "name"),
    "configMapKeyRef": ("ConfigMap", "name"),
    "secret": ("Secret", "secretName"),
    "secretKeyRef": ("Secret", "name"),
    "persistentVolumeClaim": ("PersistentVolumeClaim", "claimName"),
}


def _references(node: Any) -> Iterator[tuple[str, str]]:
    """Kind and name of whatever a pod's specification refers to, wherever it stands."""
    if isinstance(node, list):
        for one in node:
            yield from _references(one)
    if not isinstance(node, dict):
        return
    for key, value in cast(Object, node).items():
        if key in _NAMED_BY:
            kind, name = _NAMED_BY[key]
            yield kind, value[name]
        elif key == "serviceAccountName":
            yield "ServiceAccount", value
        else:
            yield from _references(value)
