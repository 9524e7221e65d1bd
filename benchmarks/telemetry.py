"""What telemetry costs a job: variants taken in turn, each in a process of its own, on a fresh server
each."""

import statistics
import sys
from collections.abc import Callable, Mapping, Sequence

import msgspec
import trio
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from benchmarks.sink import sink
from benchmarks.telemetry_drain import Cost
from benchmarks.telemetry_variants import OFF, VARIANTS
from penstock.deploy.embedded import EmbeddedServer

HEADINGS = ("telemetry", "CPU µs a job", "of that telemetry", "drained, jobs/s", "until exported, jobs/s")


async def run(jobs: int, rounds: int) -> None:
    """Print a table of medians and spreads."""
    costs: dict[str, list[Cost]] = {variant: [] for variant in VARIANTS}
    with sink() as endpoint, Progress(console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("telemetry", total=len(VARIANTS) * rounds)
        for _ in range(rounds):
            for variant in VARIANTS:
                costs[variant].append(await _child(jobs, variant, endpoint))
                progress.advance(task)
    Console().print(_table(costs, jobs, rounds))


async def _child(jobs: int, variant: str, endpoint: str) -> Cost:
    async with EmbeddedServer.open() as server:  # a fresh one: no run inherits another's memory
        child = [sys.executable, "-m", "benchmarks.telemetry_drain"]
        # Lines go into a pipe that somebody reads, as under a container runtime.
        finished = await trio.run_process(
            [*child, server.url, str(jobs), variant, endpoint], capture_stdout=True, capture_stderr=True
        )
    return msgspec.json.decode(finished.stdout.splitlines()[-1], type=Cost)


def _table(costs: Mapping[str, Sequence[Cost]], jobs: int, rounds: int) -> Table:
    table = Table(
        title=f"{jobs:,} no-op jobs submitted one by one, one worker process, {rounds} interleaved rounds",
        caption="median (lowest to highest); CPU of the whole process until everything is exported; "
        "2,000 jobs of warm-up are left out; the server syncs every write",
    )
    for heading in HEADINGS:
        table.add_column(heading, justify="left" if heading == "telemetry" else "right")
    nothing = statistics.median(cost.cpu for cost in costs[OFF])
    for variant, runs in costs.items():
        more = statistics.median(cost.cpu for cost in runs) - nothing
        table.add_row(
            variant,
            _cell(runs, lambda cost: cost.cpu, "{:.1f}"),
            "" if variant == OFF else f"{more:.1f}",
            _cell(runs, lambda cost: cost.drained, "{:,.0f}"),
            _cell(runs, lambda cost: cost.exported, "{:,.0f}"),
        )
    return table


def _cell(runs: Sequence[Cost], of: Callable[[Cost], float], style: str) -> str:
    values = [of(cost) for cost in runs]
    chosen = (min(values), statistics.median(values), max(values))
    low, middle, high = (style.format(value) for value in chosen)
    return f"{middle} ({low} to {high})"
