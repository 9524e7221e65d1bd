"""Showing a chaos run: how it goes, and what came of it."""

import statistics
from collections.abc import Sequence

import trio
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from benchmarks.chaos.run import Stage
from benchmarks.chaos.verdict import Verdict

_PLAIN_EVERY = 10.0  # seconds between lines where there is no terminal
_FIRST = 10
"""Violations that are printed; all of them are in the folder that is kept."""


class Show:
    """Tells how a run goes on standard error: a bar on a terminal, a line now and then elsewhere."""

    def __init__(self) -> None:
        self._console = Console(stderr=True)

    async def __call__(self, stage: Stage) -> None:
        if not self._console.is_terminal:
            while True:
                await trio.sleep(_PLAIN_EVERY)
                self._console.print(_words(stage))
        columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
        with Progress(*columns, console=self._console, transient=True) as progress:
            task, began = progress.add_task("starting", total=stage.seconds), trio.current_time()
            while True:
                await trio.sleep(0.25)
                progress.update(task, description=_words(stage), completed=trio.current_time() - began)


def _words(stage: Stage) -> str:
    faults, mishaps = stage.torment.tally.total(), stage.proxy.tally.total()
    lives = sum(slot.lives for slot in (*stage.workers, *stage.submitters))
    return f"seed {stage.seed}: {faults} faults, {mishaps} broken connections, {lives} processes started"


def print_verdict(verdict: Verdict) -> None:
    """The table, and whatever was wrong."""
    console = Console()
    console.print(_table(verdict))
    if verdict.fine:
        return
    wrong = [f"lost: {job}" for job in verdict.lost] + [f"ended twice: {job}" for job in verdict.twice]
    for line in (*wrong, *verdict.violations)[:_FIRST]:
        console.print(line, style="red", markup=False, highlight=False)
    more = len(wrong) + len(verdict.violations) - _FIRST
    if more > 0:
        console.print(f"… and {more} more")
    console.print(f"history, logs and data: {verdict.folder}", soft_wrap=True)
    again = f"python -m benchmarks chaos --minutes {verdict.seconds / 60:g} --seed {verdict.seed}"
    console.print(f"the same faults again: {again}", soft_wrap=True)


def _table(verdict: Verdict) -> Table:
    title = f"chaos, seed {verdict.seed}, {verdict.seconds:.0f} s, 4 workers, 2 submitters, 1 server"
    table = Table(title=title, show_header=False)
    table.add_column()
    table.add_column(justify="right")
    for label, value in _rows(verdict):
        table.add_row(label, value)
    return table


def _rows(verdict: Verdict) -> list[tuple[str, str]]:
    longest, fault = max(verdict.recoveries, default=(0.0, "no fault"))
    return [
        ("submitted", f"{verdict.submitted:,}"),
        ("acknowledged", f"{verdict.acknowledged:,}"),
        ("ended", f"{verdict.ended:,}"),
        ("lost", str(len(verdict.lost))),
        ("ended twice", str(len(verdict.twice))),
        ("violations", str(len(verdict.violations))),
        ("redelivered after a lost lease", f"{verdict.redelivered:,}"),
        ("late settlements refused", f"{verdict.refused:,}"),
        ("dead after three crashes", f"{verdict.buried:,}"),
        *((f"  {kind}", str(count)) for kind, count in sorted(verdict.faults.items())),
        *((f"  connection {kind}", str(count)) for kind, count in sorted(verdict.mishaps.items())),
        ("longest from a fault to the next end", f"{longest:.1f} s: {fault}"),
        (
            "from kill -9 of a worker to its jobs back in line",
            _spread([first for first, _ in verdict.takeovers]),
        ),
        ("… to the last of them claimed again", _spread([last for _, last in verdict.takeovers])),
        ("jobs ended a second, faults included", f"{verdict.ended / verdict.seconds:,.0f}"),
    ]


def _spread(seconds: Sequence[float]) -> str:
    if not seconds:
        return "none held any"
    return f"median {statistics.median(seconds):.1f} s, longest {max(seconds):.1f} s ({len(seconds)})"
