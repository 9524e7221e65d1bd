"""Showing a rolling update: how it goes, and what came of it."""

import statistics
from collections.abc import Sequence

import trio
from rich.console import Console
from rich.table import Table

from benchmarks.rolling.stage import APIS, WORKERS, Plan, Stage
from benchmarks.rolling.verdict import CALM, NEWCOMERS, UPDATE, Verdict

_FIRST = 10
"""Violations that are printed."""


async def show(stage: Stage) -> None:
    """Tell on standard error what is being replaced, now and then."""
    console, seen = Console(stderr=True), 0
    while True:
        await trio.sleep(0.5)
        for process in stage.processes[seen:]:
            console.print(f"{process.name} started", highlight=False)
        seen = len(stage.processes)


def print_verdict(verdict: Verdict, plan: Plan) -> None:
    """The tables, and whatever was wrong."""
    console = Console()
    console.print(_counts(verdict, plan))
    console.print(_times(verdict))
    wrong = [f"lost: {job}" for job in verdict.lost] + [f"twice: {job}" for job in verdict.twice]
    for line in (*wrong, *verdict.violations)[:_FIRST]:
        console.print(line, style="red", markup=False, highlight=False, soft_wrap=True)


def _counts(verdict: Verdict, plan: Plan) -> Table:
    table = Table(
        title=f"rolling update, {APIS} API and {WORKERS} worker processes one by one, seed {plan.seed}, "
        f"{plan.rate:g} submissions a second, APIs linger {plan.linger:g} s",
        show_header=False,
    )
    table.add_column()
    table.add_column(justify="right")
    longest = max(verdict.replaced, key=lambda one: one.ended - one.told)
    for label, value in (
        ("seconds that the update took", f"{verdict.seconds:.1f}"),
        ("longest from SIGTERM to the end", f"{longest.ended - longest.told:.1f} s ({longest.name})"),
        ("submitted over HTTP", f"{verdict.submitted:,}"),
        *((f"  answered {answer}", f"{count:,}") for answer, count in sorted(verdict.answers.items())),
        ("submitted that old workers do not know", f"{verdict.newcomers:,}"),
        ("  put back by a worker that did not know them", f"{verdict.parked:,}"),
        ("lost", str(len(verdict.lost))),
        ("run or ended twice", str(len(verdict.twice))),
        ("other violations", str(len(verdict.violations))),
    ):
        table.add_row(label, value)
    return table


def _times(verdict: Verdict) -> Table:
    table = Table(title="milliseconds")
    for heading in ("", "jobs", "median", "p99", "longest"):
        table.add_column(heading, justify="right" if heading else "left")
    for what, times in (
        ("submitted to acknowledged", verdict.acknowledged),
        ("submitted to started", verdict.waits),
    ):
        for phase in (CALM, UPDATE, NEWCOMERS):
            if times.get(phase):
                table.add_row(f"{what}, {phase}", f"{len(times[phase]):,}", *_spread(times[phase]))
    return table


def _spread(seconds: Sequence[float]) -> list[str]:
    p99 = statistics.quantiles(seconds, n=100, method="inclusive")[98] if len(seconds) > 1 else seconds[0]
    return [f"{value * 1000:,.0f}" for value in (statistics.median(seconds), p99, max(seconds))]
