"""What reads the three processes: whether it asks where they answer, and takes no more than it can hold."""

from typing import Any

import yaml

from manifests.kustomized import DEPLOY, Object, build, named

COMPOSE = DEPLOY / "compose" / "prometheus.yml"


def _kubernetes() -> dict[str, Any]:
    data = named(build("k8s/overlays/dev"), "ConfigMap", "prometheus")["data"]
    loaded: dict[str, Any] = yaml.safe_load(data["prometheus.yml"])
    return loaded


def _compose() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load(COMPOSE.read_text())
    return loaded


def _job(config: Object) -> Object:
    [job] = [one for one in config["scrape_configs"] if one["job_name"] == "penstock"]
    return dict(job)


def test_labels_of_jobs_are_theirs() -> None:
    """`job` is a label of ours: Prometheus does not put its own in its place, however it is run."""
    monitor = named(build("prometheus/operator"), "PodMonitor", "penstock")
    [endpoint] = monitor["spec"]["podMetricsEndpoints"]

    assert _job(_kubernetes())["honor_labels"] is True
    assert _job(_compose())["honor_labels"] is True
    assert endpoint["honorLabels"] is True


def test_a_target_can_only_give_so_much() -> None:
    """Samples and labels of a target are bounded, and the operator has the same bounds."""
    job, monitor = _job(_kubernetes()), named(build("prometheus/operator"), "PodMonitor", "penstock")["spec"]

    assert job["sample_limit"] == monitor["sampleLimit"] == _job(_compose())["sample_limit"]
    assert job["label_limit"] == monitor["labelLimit"]
    assert job["label_name_length_limit"] == monitor["labelNameLengthLimit"]
    assert job["label_value_length_limit"] == monitor["labelValueLengthLimit"]


def test_discovery_keeps_to_its_namespace() -> None:
    """Pods are looked for where the Role lets Prometheus look, and nowhere else."""
    [discovery] = _job(_kubernetes())["kubernetes_sd_configs"]

    assert discovery["role"] == "pod"
    assert discovery["namespaces"] == {"own_namespace": True}


def test_exemplars_are_kept() -> None:
    """The way from a bucket to its trace is stored, and the flag that turns it on is given."""
    deployment = named(build("k8s/overlays/dev"), "Deployment", "prometheus")
    [container] = deployment["spec"]["template"]["spec"]["containers"]

    for config in (_kubernetes(), _compose()):
        assert config["storage"]["exemplars"]["max_exemplars"] > 0
    assert "--enable-feature=exemplar-storage" in container["args"]


def test_rules_are_read_from_where_they_are_mounted() -> None:
    """The folder in the configuration is that of the ConfigMap, which has the rules of this repository."""
    objects = build("k8s/overlays/dev")
    spec = named(objects, "Deployment", "prometheus")["spec"]["template"]["spec"]
    [mount] = [one for one in spec["containers"][0]["volumeMounts"] if one["name"] == "rules"]
    rules = named(objects, "ConfigMap", "prometheus-rules")["data"]

    assert _kubernetes()["rule_files"] == [f"{mount['mountPath']}/*.yaml"]
    assert rules == {"penstock.yaml": (DEPLOY / "prometheus" / "rules" / "penstock.yaml").read_text()}


def test_data_sources_are_services_that_exist() -> None:
    """Grafana asks where Prometheus, Jaeger and Loki answer; their names are the same in Compose."""
    objects = build("k8s/overlays/dev")
    [text] = named(objects, "ConfigMap", "grafana-datasources")["data"].values()
    ports = {"prometheus": 9090, "jaeger": 16686, "loki": 3100}

    found = {one["type"]: one["url"] for one in yaml.safe_load(text)["datasources"]}

    for name, port in ports.items():
        assert found[name] == f"http://{name}:{port}"
        assert port in {one["port"] for one in named(objects, "Service", name)["spec"]["ports"]}
