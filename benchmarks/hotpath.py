"""The hot path: what one worker process drains, telemetry off and on, taken in turn on one server."""

import statistics
import subprocess
import sys
from collections.abc import Sequence

import msgspec
import trio
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from benchmarks.drain import Drained
from benchmarks.sink import sink
from penstock.deploy.embedded import EmbeddedServer

OFF, ON = "telemetry off", "traced, measured, logged"


async def run(jobs: int, rounds: int) -> None:
    """Print a table of medians and spreads."""
    results: dict[str, list[Drained]] = {OFF: [], ON: []}
    console = Console()
    with sink() as endpoint, Progress(console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("hot path", total=2 * rounds)
        for _ in range(rounds):
            for variant, arguments in ((OFF, ()), (ON, (endpoint,))):
                async with EmbeddedServer.open() as server:  # a fresh one: no run inherits another's memory
                    results[variant].append(await _child(server.url, jobs, arguments))
                progress.advance(task)
    console.print(_table(results, jobs, rounds))


async def _child(url: str, jobs: int, endpoint: Sequence[str]) -> Drained:
    command = [sys.executable, "-m", "benchmarks.drain", url, str(jobs), *endpoint]
    finished = await trio.run_process(command, capture_stdout=True, stderr=subprocess.DEVNULL)
    return msgspec.json.decode(finished.stdout.splitlines()[-1], type=Drained)


def _table(results: dict[str, list[Drained]], jobs: int, rounds: int) -> Table:
    table = Table(
        title=f"{jobs:,} no-op jobs, one worker process, {rounds} interleaved rounds",
        caption="median (lowest to highest); the server syncs every write; warm-up is not excluded",
    )
    for heading in ("", *results, "ratio"):
        table.add_column(heading, justify="left" if not heading else "right")
    for label, field, style in (
        ("drained, jobs/s", "drained", "{:,.0f}"),
        ("until exported, jobs/s", "exported", "{:,.0f}"),
        ("submitted, jobs/s", "submitted", "{:,.0f}"),
        ("Redis commands a job", "commands", "{:.2f}"),
        ("round trips a job", "round_trips", "{:.3f}"),
    ):
        columns = [[float(getattr(one, field)) for one in runs] for runs in results.values()]
        middles = [statistics.median(column) for column in columns]
        cells = [
            f"{style.format(middle)} ({style.format(min(column))} to {style.format(max(column))})"
            for middle, column in zip(middles, columns, strict=True)
        ]
        table.add_row(label, *cells, f"{middles[1] / middles[0]:.2f}")
    return table
