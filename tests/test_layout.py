"""The shape of the repository that everything else relies on."""

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PORTIONS = ("engine", "http", "telemetry", "deploy")
LONGEST_MODULE = 400  # lines; the models' largest are about this, their median is 150


@pytest.mark.parametrize("portion", PORTIONS)
def test_import_roots_and_the_namespace_have_no_init(portion: str) -> None:
    """`http/__init__.py` would hide the standard library, `*/penstock/__init__.py` the other portions."""
    assert not (ROOT / portion / "__init__.py").exists()
    assert not (ROOT / portion / "penstock" / "__init__.py").exists()
    assert (ROOT / portion / "penstock" / portion / "__init__.py").exists()
    assert (ROOT / portion / "penstock" / portion / "py.typed").exists()


def test_the_standard_librarys_http_is_found_from_the_root() -> None:
    """A program started in the repository gets `http.client`, and Penstock's own portion beside it."""
    program = "import http.client, penstock.http, penstock.engine; print(http.client.__file__)"
    found = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert str(ROOT / "http") not in found.stdout


def test_no_module_outgrows_its_room() -> None:
    """A module longer than the models' has a second thing inside that wants a file of its own."""
    long = {
        str(path.relative_to(ROOT)): lines
        for portion in (*PORTIONS, "benchmarks", "examples")
        for path in (ROOT / portion).rglob("*.py")
        if (lines := len(path.read_text().splitlines())) > LONGEST_MODULE
    }
    assert long == {}


def test_every_package_the_project_is_built_on_is_named() -> None:
    """The packages that were asked for are dependencies or, where broken, extras."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    extras = project["project"]["optional-dependencies"]
    named = {
        requirement.split(">")[0].split("=")[0].split("[")[0]
        for group in (
            project["project"]["dependencies"],
            *extras.values(),
            project["dependency-groups"]["dev"],
        )
        for requirement in group
    }
    assert named >= {
        "aioprometheus",
        "anyio",
        "hypercorn",
        "opentelemetry-exporter-jaeger",
        "opentelemetry-sdk",
        "pytest-trio",
        "quart-trio",
        "redis",
        "structlog",
        "trio",
    }
    assert any("opentelemetry-exporter-jaeger" in requirement for requirement in extras["jaeger"])


def test_constraints_name_packages_and_versions_only() -> None:
    """No hosts, no paths, nothing that ties an installation to one machine."""
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    pins = [line for line in lines if line and not line.startswith("#")]
    assert len(pins) > 50
    assert all(line.count("==") == 1 and "/" not in line and "@" not in line for line in pins)
