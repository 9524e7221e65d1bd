"""Running the cases on Penstock, or on it and its peers, and printing what happened."""

import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import trio
from rich.console import Console
from rich.table import Table

from benchmarks.reliability.cases import CASES
from benchmarks.reliability.environments import environment
from benchmarks.reliability.lab import lab
from benchmarks.reliability.system import CONCURRENCY, LEASE, PEERS, PENSTOCK, System

_progress = Console(stderr=True)


async def run(*, peers: bool, only: Sequence[str]) -> None:
    """Try every case on every system, systems side by side, each with a server of its own.

    `only` keeps the systems whose names contain one of these words, in any case of letters.
    """
    systems = [
        system
        for system in ((PENSTOCK, *PEERS) if peers else (PENSTOCK,))
        if not only or any(word.lower() in system.name.lower() for word in only)
    ]
    places = {system.packages: await environment(system) for system in systems}
    results: dict[str, dict[str, str]] = {system.name: {} for system in systems}
    async with trio.open_nursery() as nursery:
        for system in systems:
            nursery.start_soon(_try, system, places[system.packages], results[system.name])
    console = Console()
    for name, found in results.items():
        console.print(_table(name, found))


async def _try(system: System, place: Path, results: dict[str, str]) -> None:
    for name, case in CASES.items():
        with tempfile.TemporaryDirectory(prefix="case-", ignore_cleanup_errors=True) as folder:
            try:
                async with lab(system, place, Path(folder)) as bench:
                    results[name] = await case(bench)
            except* (trio.TooSlowError, subprocess.CalledProcessError) as error:  # the other cases go on
                results[name] = f"could not be tried: {error.exceptions[0]!r}\n{_last_words(Path(folder))}"
        _progress.print(f"{system.name}: {name}: {results[name]}", markup=False, soft_wrap=True)


def _last_words(folder: Path) -> str:
    return (folder / "worker.log").read_text(errors="replace")[-300:]


def _table(name: str, found: dict[str, str]) -> Table:
    version = ".".join(map(str, sys.version_info[:3]))
    table = Table(
        title=name,
        caption=f"lease {LEASE} s, {CONCURRENCY} jobs at once, Python {version}, the embedded Valkey, "
        "appendfsync always",
        show_lines=True,
    )
    table.add_column("case")
    table.add_column("what happened")
    for case, what in found.items():
        table.add_row(case, what)
    return table
