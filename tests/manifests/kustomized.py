"""Manifests as a cluster gets them: folders built by kustomize, and questions about what is in them."""

import os
import shlex
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, TypeAlias

import pytest
import yaml

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"

Object: TypeAlias = dict[str, Any]
"""One manifest: `kind`, `metadata` and the rest."""

OVERLAYS = ("k8s/overlays/dev", "k8s/overlays/production")
FOLDERS = (*OVERLAYS, "k8s/base", "prometheus/operator")
WORKLOADS = ("Deployment", "StatefulSet")


def build(folder: str) -> list[Object]:
    """What `folder`, below deploy/, amounts to; without kustomize the test is skipped, and in CI it fails.

    The same objects for everybody who asks, so nobody changes them.
    """
    return build_at(DEPLOY / folder)


@cache
def build_at(folder: Path) -> list[Object]:
    """The same for any folder."""
    command = [*_kustomize(), str(folder)]
    built = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert built.returncode == 0, built.stderr
    return list(yaml.load_all(built.stdout, Loader=yaml.CSafeLoader))


def of_kind(objects: list[Object], *kinds: str) -> list[Object]:
    """Those of these kinds."""
    return [one for one in objects if one["kind"] in kinds]


def named(objects: list[Object], kind: str, name: str) -> Object:
    """The one of this kind whose name is `name`, or `name` and a hash of its content."""
    [found] = [one for one in of_kind(objects, kind) if _is(name, one["metadata"]["name"])]
    return found


def _is(name: str, full: str) -> bool:
    return full == name or (full.startswith(f"{name}-") and len(full) == len(name) + 11)  # "-" and ten digits


def pods(objects: list[Object]) -> Iterator[tuple[str, Object]]:
    """Name and pod template of each workload."""
    for workload in of_kind(objects, *WORKLOADS):
        yield workload["metadata"]["name"], workload["spec"]["template"]


def containers(pod: Object) -> list[Object]:
    """A pod's containers, those that run before the others included."""
    spec = pod["spec"]
    return [*spec.get("initContainers", ()), *spec["containers"]]


def ours(objects: list[Object]) -> Iterator[tuple[str, Object, Object]]:
    """Command, pod and container of each process that is Penstock's own, migrations included."""
    for _, pod in pods(objects):
        for container in containers(pod):
            if pod["metadata"]["labels"]["app.kubernetes.io/name"] == "penstock":
                yield container["args"][0], pod, container


def variables(objects: list[Object], container: Object) -> dict[str, str]:
    """Every environment variable of a container whose value the manifests say, as its process has them."""
    said: dict[str, str] = {}
    for source in container.get("envFrom", ()):
        said |= named(objects, "ConfigMap", source["configMapRef"]["name"])["data"]
    for variable in container.get("env", ()):
        source = variable.get("valueFrom", {}).get("configMapKeyRef")
        if source is not None:
            said[variable["name"]] = named(objects, "ConfigMap", source["name"])["data"][source["key"]]
        else:
            said[variable["name"]] = variable.get("value", "")
    return said


def selects(selector: Object, labels: dict[str, str]) -> bool:
    """Whether a selector, of labels or expressions with `In`, means a pod with these labels."""
    wanted: dict[str, str] = selector.get("matchLabels", {})
    either: list[Object] = selector.get("matchExpressions", [])
    assert all(one["operator"] == "In" for one in either)
    return wanted.items() <= labels.items() and all(labels.get(one["key"]) in one["values"] for one in either)


@cache
def _kustomize() -> list[str]:
    command = [str(ROOT / ".ci" / "kustomize")]
    found = subprocess.run(command, capture_output=True, text=True, timeout=600, check=False)
    if found.returncode == 0:
        return shlex.split(found.stdout)
    reason = (found.stderr.strip().splitlines() or ["no reason was given"])[-1]
    if os.environ.get("CI") == "true":
        pytest.fail(f"in CI there must be kustomize: {reason}")
    pytest.skip(reason)
