"""Who may talk to whom: everything that has to, and nobody else."""

from collections.abc import Iterator
from typing import Any

import pytest

from manifests.kustomized import OVERLAYS, Object, build, containers, of_kind, pods, selects

DEV = "k8s/overlays/dev"
WAYS = {
    ("penstock", "jaeger", 4318),
    ("penstock", "redis", 6379),
    ("penstock", "postgresql", 5432),
    ("prometheus", "penstock", 9100),
    ("prometheus", "jaeger", 8888),
    ("grafana", "prometheus", 9090),
    ("grafana", "jaeger", 16686),
    ("grafana", "loki", 3100),
    ("alloy", "loki", 3100),
}
"""From, to, port: every way inside the dev overlay that something needs."""


@pytest.mark.parametrize("folder", OVERLAYS)
def test_nothing_is_allowed_that_nobody_named(folder: str) -> None:
    """One policy closes every pod in both directions, so that all others only open."""
    [closed] = [
        one
        for one in of_kind(build(folder), "NetworkPolicy")
        if one["spec"]["podSelector"] == {} and "egress" not in one["spec"]
    ]

    assert closed["spec"]["policyTypes"] == ["Ingress", "Egress"]
    assert "ingress" not in closed["spec"]


def test_every_way_that_is_needed_is_open_at_both_ends() -> None:
    """The sender may send and the receiver may receive, on a port that the receiver serves."""
    objects = build(DEV)
    for sender, receiver, port in WAYS:
        [there] = _labels(objects, receiver)[:1]
        assert port in _served(objects, receiver), (receiver, port)
        out = [
            labels for labels in _labels(objects, sender) if _allows(objects, "egress", labels, there, port)
        ]
        come = [
            labels for labels in _labels(objects, sender) if _allows(objects, "ingress", there, labels, port)
        ]
        assert out, f"{sender} may not send to {receiver}:{port}"
        assert come, f"{receiver}:{port} does not take from {sender}"


def test_no_way_is_open_that_nobody_needs() -> None:
    """Whatever one pod of the overlay lets in from another is one of the ways above."""
    objects = build(DEV)
    also = {("grafana", "jaeger", 16685), ("penstock", "jaeger", 4317)}  # the same over gRPC
    names = {pod["metadata"]["labels"]["app.kubernetes.io/name"] for _, pod in pods(objects)}

    open_ways = {
        (sender, receiver, port)
        for sender in names
        for receiver in names
        for port in _served(objects, receiver)
        if any(
            _allows(objects, "ingress", there, labels, port)
            for there in _labels(objects, receiver)
            for labels in _labels(objects, sender)
        )
    }

    assert open_ways == WAYS | also


def test_workers_do_not_reach_the_history() -> None:
    """PostgreSQL is for API and relay."""
    objects = build(DEV)
    [there] = _labels(objects, "postgresql")
    may = {
        labels["app.kubernetes.io/component"]
        for labels in _labels(objects, "penstock")
        if _allows(objects, "egress", labels, there, 5432)
        and _allows(objects, "ingress", there, labels, 5432)
    }

    assert may == {"api", "relay"}


@pytest.mark.parametrize("folder", OVERLAYS)
def test_ports_of_policies_are_served(folder: str) -> None:
    """Whatever is let in goes to a port that some selected pod serves."""
    objects = build(folder)
    for policy in of_kind(objects, "NetworkPolicy"):
        chosen = [
            pod
            for _, pod in pods(objects)
            if selects(policy["spec"]["podSelector"], pod["metadata"]["labels"])
        ]
        assert chosen, policy["metadata"]["name"]
        ports = {
            port["containerPort"]
            for pod in chosen
            for one in containers(pod)
            for port in one.get("ports", ())
        }
        for rule in policy["spec"].get("ingress", ()):
            assert {port["port"] for port in rule["ports"]} <= ports, policy["metadata"]["name"]


def _labels(objects: list[Object], name: str) -> list[dict[str, str]]:
    found = [pod["metadata"]["labels"] for _, pod in pods(objects)]
    return [labels for labels in found if labels["app.kubernetes.io/name"] == name]


def _served(objects: list[Object], name: str) -> set[int]:
    return {
        port["containerPort"]
        for _, pod in pods(objects)
        if pod["metadata"]["labels"]["app.kubernetes.io/name"] == name
        for container in containers(pod)
        for port in container.get("ports", ())
    }


def _allows(objects: list[Object], way: str, pod: dict[str, str], peer: dict[str, str], port: int) -> bool:
    return any(
        any(selects(one["podSelector"], peer) for one in _peers(rule, way))
        and any(one["port"] == port for one in rule["ports"])
        for policy in of_kind(objects, "NetworkPolicy")
        if selects(policy["spec"]["podSelector"], pod)
        for rule in policy["spec"].get(way, ())
    )


def _peers(rule: Object, way: str) -> Iterator[dict[str, Any]]:
    """Pods of this namespace that a rule means."""
    for one in rule.get("from" if way == "ingress" else "to", ()):
        if "podSelector" in one and "namespaceSelector" not in one:
            yield one
