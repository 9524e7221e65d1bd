"""Environments for other job queues: made once in a cache folder, never in the checkout."""

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import trio


def cache() -> Path:
    """Where they are kept from one run to the next: `$XDG_CACHE_HOME`, else `~/.cache`."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "penstock-peers"


async def make_environment(folder: Path, packages: Sequence[str]) -> None:
    """Make one with exactly these packages, by `venv` and `pip`, where it is missing or has others.

    Raises `subprocess.CalledProcessError`, whose `stderr` tells what pip said, when one cannot be installed.
    """
    finished = folder / "installed"
    if finished.exists() and finished.read_text().split() == sorted(packages):
        return
    await _run([sys.executable, "-m", "venv", "--clear", str(folder)])
    await _run([str(folder / "bin" / "pip"), "install", "--quiet", *packages])
    finished.write_text("\n".join(sorted(packages)))


async def _run(command: list[str]) -> None:
    await trio.run_process(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, capture_stderr=True)
