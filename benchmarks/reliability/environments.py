"""Environments for the peers: made once in a cache folder, never in the checkout."""

import os
import subprocess
import sys
from pathlib import Path

import trio

from benchmarks.reliability.lab import home
from benchmarks.reliability.system import System


def cache() -> Path:
    """Where they are kept from one run to the next: `$XDG_CACHE_HOME`, else `~/.cache`."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "penstock-peers"


async def environment(system: System) -> Path:
    """The environment of a system, made by `venv` and `pip` where it is missing."""
    if not system.packages:
        return home()
    folder = cache() / system.folder
    finished = folder / "installed"
    if not finished.exists():
        await _run([sys.executable, "-m", "venv", "--clear", str(folder)])
        await _run([str(folder / "bin" / "pip"), "install", "--quiet", *system.packages])
        finished.touch()
    return folder


async def _run(command: list[str]) -> None:
    await trio.run_process(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
