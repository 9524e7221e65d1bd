"""Environments for the peers; each system says which packages it is."""

from pathlib import Path

from benchmarks.environments import cache, make_environment
from benchmarks.reliability.lab import home
from benchmarks.reliability.system import System


async def environment(system: System) -> Path:
    """The environment of a system, made where it is missing."""
    if not system.packages:
        return home()
    folder = cache() / system.folder
    await make_environment(folder, system.packages)
    return folder
