"""How many workers there are: by the work that waits, with figures that fit the processes."""

from typing import Any

import yaml

from manifests.kustomized import DEPLOY, build, named, ours, variables

PRODUCTION = "k8s/overlays/production"
LONGEST_WAIT = 30
"""Seconds that a job may wait for a place: what worker-autoscaler.yaml says its figures are made of."""
RULES = DEPLOY / "prometheus" / "rules" / "penstock.yaml"


def _scaled() -> dict[str, Any]:
    spec: dict[str, Any] = named(build(PRODUCTION), "ScaledObject", "penstock-worker")["spec"]
    return spec


def _alternative() -> dict[str, Any]:
    text = (DEPLOY / "k8s" / "components" / "hpa" / "worker-autoscaler.yaml").read_text()
    spec: dict[str, Any] = yaml.safe_load(text)["spec"]
    return spec


def test_the_threshold_is_what_a_worker_gets_done_in_time() -> None:
    """Work-seconds for each worker are its concurrency times the seconds that a job may wait."""
    objects = build(PRODUCTION)
    [worker] = [container for command, _, container in ours(objects) if command == "worker"]
    concurrency = int(variables(objects, worker)["PENSTOCK_CONCURRENCY"])

    [trigger] = _scaled()["triggers"]

    assert trigger["metricType"] == "AverageValue"
    assert int(trigger["metadata"]["threshold"]) == concurrency * LONGEST_WAIT


def test_the_query_is_a_rule_that_is_recorded() -> None:
    """What is asked for is recorded by our own rules."""
    recorded = {
        rule.get("record") for group in yaml.safe_load(RULES.read_text())["groups"] for rule in group["rules"]
    }

    [trigger] = _scaled()["triggers"]

    assert trigger["metadata"]["query"] == "sum(penstock:queue_work_seconds)"
    assert "penstock:queue_work_seconds" in recorded


def test_missing_metrics_send_nobody_home() -> None:
    """A missing metric is an error, an error has a fallback, and the fallback takes no worker away."""
    spec = _scaled()

    assert spec["triggers"][0]["metadata"]["ignoreNullValues"] == "false"
    assert spec["fallback"]["behavior"] == "currentReplicasIfHigher"
    assert spec["minReplicaCount"] <= spec["fallback"]["replicas"] <= spec["maxReplicaCount"]


def test_workers_go_slowly() -> None:
    """At most a quarter of the workers goes in a minute, and none within five minutes of a busier time."""
    down = _scaled()["advanced"]["horizontalPodAutoscalerConfig"]["behavior"]["scaleDown"]

    assert down == {
        "stabilizationWindowSeconds": 300,
        "policies": [{"type": "Percent", "value": 25, "periodSeconds": 60}],
    }


def test_the_alternative_scales_alike() -> None:
    """Without KEDA the figures are the same."""
    keda, hpa = _scaled(), _alternative()

    assert (hpa["minReplicas"], hpa["maxReplicas"]) == (keda["minReplicaCount"], keda["maxReplicaCount"])
    assert hpa["behavior"] == keda["advanced"]["horizontalPodAutoscalerConfig"]["behavior"]
    [metric] = hpa["metrics"]
    assert metric["external"]["target"] == {
        "type": "AverageValue",
        "averageValue": keda["triggers"][0]["metadata"]["threshold"],
    }


def test_the_adapter_shows_the_metric_that_is_asked_for() -> None:
    """The adapter gives the recorded series the name that the alternative scales on."""
    [rule] = yaml.safe_load((DEPLOY / "k8s" / "components" / "hpa" / "adapter-rule.yaml").read_text())[
        "rules"
    ]["external"]

    assert rule["name"]["as"] == _alternative()["metrics"][0]["external"]["metric"]["name"]
    assert rule["metricsQuery"] == _scaled()["triggers"][0]["metadata"]["query"]
