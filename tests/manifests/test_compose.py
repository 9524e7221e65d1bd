"""The Compose file: one machine, everything bounded, nothing reachable from elsewhere."""

import re
from typing import Any

import yaml

from manifests.kustomized import DEPLOY, OVERLAYS, build, containers, pods
from penstock.deploy.cli import cli
from penstock.deploy.shutdown import AFTER_GRACE

FILE = DEPLOY / "compose" / "compose.yaml"
TEXT = FILE.read_text()
COMPOSE: dict[str, Any] = yaml.load(TEXT, Loader=yaml.CSafeLoader)
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
OURS = {"api", "worker", "relay", "migrate"}


def test_everything_that_was_promised_is_there() -> None:
    """Redis, the three processes, and what watches them."""
    watching = {"jaeger", "prometheus", "grafana", "loki", "alloy"}

    assert set(SERVICES) == {"redis"} | OURS | watching


def test_what_is_mounted_exists() -> None:
    """Each file that is mounted is in the repository, and each volume is declared."""
    for name, service in SERVICES.items():
        for mount in service.get("volumes", ()):
            source = mount.partition(":")[0]
            if source == "/var/run/docker.sock":
                assert name == "alloy"
            elif source.startswith("."):
                assert (FILE.parent / source).exists(), f"{name}: {source}"
                assert mount.endswith(":ro"), mount
            else:
                assert source in COMPOSE["volumes"], f"{name}: {source}"


def test_only_this_machine_comes_in() -> None:
    """Every published port is bound to the loopback address, and no two are the same."""
    published = [port for service in SERVICES.values() for port in service.get("ports", ())]

    assert published
    assert all(port.startswith("127.0.0.1:") for port in published)
    assert len({port.split(":")[1] for port in published}) == len(published)


def test_every_service_is_bounded_and_watched() -> None:
    """Each has a bound of memory, a health check, a read-only root and no privileges."""
    for name, service in SERVICES.items():
        assert service["mem_limit"], name
        assert service["read_only"], name
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert name in OURS or service["healthcheck"]["test"][0] == "CMD", name  # ours is the image's


def test_images_are_those_of_kubernetes() -> None:
    """What runs in both places is of one version."""
    in_pods = {one["image"] for _, pod in pods(build(OVERLAYS[0])) for one in containers(pod)}

    assert {service["image"] for service in SERVICES.values()} <= in_pods


def test_every_variable_is_known() -> None:
    """Each PENSTOCK_ variable of a service belongs to an option of its command."""
    known = {
        command: {str(parameter.envvar) for parameter in cli.commands[command].params} for command in OURS
    }
    for name in OURS:
        for variable in SERVICES[name]["environment"]:
            assert not variable.startswith("PENSTOCK_") or variable in known[name], f"{name}: {variable}"


def test_a_worker_has_the_time_it_may_take_to_drain() -> None:
    """Docker kills it later than it has ended by itself."""
    worker = SERVICES["worker"]
    seconds = int(re.fullmatch(r"(\d+)s", worker["stop_grace_period"])[1])  # type: ignore[index]

    assert seconds > float(worker["environment"]["PENSTOCK_GRACE"]) + AFTER_GRACE
