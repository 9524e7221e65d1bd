"""The three processes as pods run them: what the command line knows, and how long an orderly end takes."""

import pytest

from manifests.kustomized import OVERLAYS, Object, build, named, ours, variables
from penstock.deploy.cli import cli
from penstock.deploy.module_settings import variable
from penstock.deploy.settings import DEFAULT_BIND
from penstock.deploy.shutdown import AFTER_GRACE

REQUESTS = 5.0
"""Seconds that running requests have: `graceful_timeout` of penstock.http.server.serve."""
LAST_WORDS = 5.0
"""Seconds that telemetry has at the end: Telemetry.close."""
SPARE = 2.0

COMMANDS = {"api", "worker", "relay", "migrate"}


@pytest.mark.parametrize("folder", OVERLAYS)
def test_every_process_is_there(folder: str) -> None:
    """API, worker and relay run, and the history's tables are made before two of them."""
    found = [command for command, _, _ in ours(build(folder))]

    assert sorted(found) == ["api", "migrate", "migrate", "relay", "worker"]


@pytest.mark.parametrize("folder", OVERLAYS)
def test_every_variable_is_known(folder: str) -> None:
    """Each PENSTOCK_ variable of a pod belongs to an option of its command, or to one of its neighbours'.

    What all pods share may be of no use to one of them; what a command is given for itself is its own.
    """
    objects = build(folder)
    known = {command: _variables_of(command) for command in COMMANDS}
    for command, _, container in ours(objects):
        for name in variables(objects, container):
            if name.startswith("PENSTOCK_") and not name.startswith(variable("", "")):
                shared = name in named(objects, "ConfigMap", "penstock")["data"]
                there = set().union(*known.values()) if shared else known[command]
                assert name in there, f"{command}: {name}"


@pytest.mark.parametrize("folder", OVERLAYS)
def test_every_process_has_what_it_needs(folder: str) -> None:
    """Each knows its application and its Redis; whoever shows the history knows where that is."""
    objects = build(folder)
    for command, _, container in ours(objects):
        said = variables(objects, container)
        if command == "migrate":
            assert set(said) == {"PENSTOCK_HISTORY_URL"}
            continue
        assert {"PENSTOCK_APP", "PENSTOCK_REDIS", "OTEL_EXPORTER_OTLP_ENDPOINT"} <= set(said)
        assert ("PENSTOCK_HISTORY_URL" in said) == (command in ("api", "relay"))
        assert ("PENSTOCK_TOKENS_FILE" in said) == (command == "api")


@pytest.mark.parametrize("folder", OVERLAYS)
def test_ports_are_those_that_are_served(folder: str) -> None:
    """Metrics have a port of their own, which the annotations name; the API has that of its default."""
    objects = build(folder)
    for command, pod, container in ours(objects):
        if command == "migrate":
            continue
        ports = {port["name"]: port["containerPort"] for port in container["ports"]}
        said = variables(objects, container)
        assert said["PENSTOCK_METRICS_BIND"] == f"0.0.0.0:{ports['metrics']}"
        notes = pod["metadata"]["annotations"]
        assert notes["prometheus.io/scrape"] == "true"
        assert notes["prometheus.io/port"] == str(ports["metrics"])
        assert notes["prometheus.io/path"] == "/metrics"
        if command == "api":
            assert said["PENSTOCK_BIND"] == f"0.0.0.0:{ports['http']}"
            assert DEFAULT_BIND.endswith(f":{ports['http']}")
            assert ports["http"] != ports["metrics"]


@pytest.mark.parametrize("folder", OVERLAYS)
def test_probes_ask_what_they_mean(folder: str) -> None:
    """Start and life are asked of /healthz, which knows no Redis; readiness where work arrives."""
    for command, _, container in ours(build(folder)):
        if command == "migrate":
            continue
        for probe in ("startupProbe", "livenessProbe"):
            assert container[probe]["httpGet"] == {"path": "/healthz", "port": "metrics"}
        assert container["readinessProbe"]["httpGet"] == {
            "path": "/readyz",
            "port": "http" if command == "api" else "metrics",
        }


@pytest.mark.parametrize("folder", OVERLAYS)
def test_nobody_is_killed_while_it_ends(folder: str) -> None:
    """A pod's grace period is longer than its process may take to drain and to say its last words."""
    objects = build(folder)
    for command, pod, container in ours(objects):
        if command == "migrate":
            continue
        said = variables(objects, container)
        assert pod["spec"]["terminationGracePeriodSeconds"] >= _slowest_end(command, container, said) + SPARE


@pytest.mark.parametrize("folder", OVERLAYS)
def test_traces_say_where_they_come_from(folder: str) -> None:
    """The resource of a pod's spans names pod, namespace, node and deployment, as the conventions do."""
    wanted = {"k8s.pod.name", "k8s.pod.uid", "k8s.namespace.name", "k8s.node.name", "k8s.deployment.name"}
    wanted |= {
        "k8s.container.name",
        "deployment.environment.name",
        "service.namespace",
        "service.instance.id",
    }
    objects = build(folder)
    for command, pod, container in ours(objects):
        if command == "migrate":
            continue
        said = variables(objects, container)
        pairs = dict(pair.split("=") for pair in said["OTEL_RESOURCE_ATTRIBUTES"].split(","))
        assert set(pairs) == wanted
        assert said["OTEL_SERVICE_NAME"] == "penstock-$(COMPONENT)"
        assert pod["metadata"]["labels"]["app.kubernetes.io/component"] == command


def _variables_of(command: str) -> set[str]:
    return {str(parameter.envvar) for parameter in cli.commands[command].params if parameter.envvar}


def _slowest_end(command: str, container: Object, said: dict[str, str]) -> float:
    before = container.get("lifecycle", {}).get("preStop", {}).get("sleep", {}).get("seconds", 0)
    match command:
        case "api":
            return float(before + float(said["PENSTOCK_LINGER"]) + REQUESTS + LAST_WORDS)
        case "worker":
            return float(before + float(said["PENSTOCK_GRACE"]) + AFTER_GRACE)
        case _:
            return float(before + float(said["PENSTOCK_SILENCE"]) / 3 + REQUESTS + LAST_WORDS)
