"""Programs that a script in .ci builds, some minutes each, once; `make manifests` has them built."""

import subprocess

import pytest

from manifests.kustomized import ROOT


def program(name: str) -> str:
    """The path of what `.ci/<name>` has built; where it has not, the test is skipped with its reason."""
    script = ROOT / ".ci" / name
    found = subprocess.run([script, "--if-built"], capture_output=True, text=True, timeout=60, check=False)
    if found.returncode != 0:
        pytest.skip(found.stderr.strip())
    return f"{found.stdout.strip()}/{name}"
