"""Programs that tests run beside Penstock: installed ones, or Debian's packages, by `.ci/debian-tools`."""

import os
import subprocess
from pathlib import Path

import pytest

TOOLS = Path(__file__).parents[2] / ".ci" / "debian-tools"


def folder_of(name: str, *words: str) -> Path:
    """The folder of the programs of `name`; without them the test is skipped, and in CI it fails.

    `words` are what the script is given.
    """
    try:
        found = subprocess.run([TOOLS, *words], capture_output=True, text=True, timeout=300, check=False)
    except subprocess.TimeoutExpired as late:
        reason = str(late)
    else:
        if found.returncode == 0:
            return Path(found.stdout.strip())
        reason = (found.stderr.strip().splitlines() or ["no reason was given"])[-1]
    if os.environ.get("CI") == "true":
        pytest.fail(f"in CI there must be a {name}: {reason}")
    pytest.skip(reason)
