"""What the demo shows: progress, outcomes, one job's trace and log lines, metrics."""

import sys
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any, Protocol

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
)
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from examples.evidence import Span

WIDTH = 100
console = Console(highlight=False, width=None if sys.stdout.isatty() else WIDTH)


def heading(text: str) -> None:
    """A line across the screen with the next chapter's name."""
    console.print()
    console.print(Rule(Text(text, style="bold cyan"), align="left", style="grey37"))


def places(urls: Mapping[str, str]) -> None:
    """Where everything listens."""
    for name, url in urls.items():
        console.print(Text.assemble((f"  {name:<8}", "dim"), url), soft_wrap=True)


def submitted(jobs: int, seconds: float) -> None:
    """One line about the request."""
    console.print(f"\n  {jobs:,} jobs submitted in one HTTP request, {seconds:.2f} s")


# --- progress -----------------------------------------------------------------------------


class Show(Protocol):
    """Is told how many jobs have ended."""

    def __call__(self, ended: int) -> None: ...


@contextmanager
def progress(submitted: int) -> Generator[Show]:
    """A bar on a terminal; elsewhere a line for every tenth."""
    if not console.is_terminal:
        yield _lines(submitted)
        return
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(bar_width=46, complete_style="cyan", finished_style="green"),
        MofNCompleteColumn(),
        TextColumn("[dim]jobs ended"),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console) as display:
        task = display.add_task("working", total=submitted)
        yield lambda ended: display.update(task, completed=ended)


def _lines(submitted: int) -> Show:
    shown = -1

    def show(ended: int) -> None:
        nonlocal shown
        tenth = 10 * ended // submitted
        if tenth > shown:
            shown = tenth
            console.print(f"  {ended:>6,} of {submitted:,} jobs ended")

    return show


# --- outcomes -----------------------------------------------------------------------------


def figures(rows: Sequence[tuple[str, str, str]]) -> None:
    """Names, right-aligned numbers and a remark each."""
    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2))
    table.add_column(style="dim")
    table.add_column(justify="right", style="bold")
    table.add_column(style="dim")
    for name, number, remark in rows:
        table.add_row(f"  {name}", number, remark)
    console.print(table)


def dead_letters(rows: Sequence[tuple[str, str]]) -> None:
    """What could not be done, and why."""
    table = Table(box=None, pad_edge=False, padding=(0, 2), header_style="dim")
    console.print()
    widest = max((len(name) for name, _ in rows), default=0)
    table.add_column("  dead letter", style="red", no_wrap=True, min_width=min(widest + 2, WIDTH // 2))
    table.add_column("reason", overflow="ellipsis", no_wrap=True)
    for name, reason in rows:
        text = Text(reason)
        text.truncate(min(console.width, WIDTH) - widest - 8, overflow="ellipsis")
        table.add_row(f"  {name}", text)
    console.print(table)


# --- one job ------------------------------------------------------------------------------


_COLOURS = {"POST": "blue", "enqueue": "magenta", "attempt": "cyan", "wait": "yellow", "process": "green"}


def waterfall(spans: Sequence[Span]) -> None:
    """Spans as bars on one time line, each below its parent."""
    first, last = min(span.start for span in spans), max(span.end for span in spans)
    room = max(20, min(console.width, WIDTH) - 56)
    table = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 2))
    table.add_column("  span", no_wrap=True)
    table.add_column("in", style="dim")
    table.add_column(f"0 … {_duration(last - first)}", width=room, no_wrap=True)
    table.add_column("took", justify="right")
    for span in spans:
        start = int(room * (span.start - first) / (last - first))
        length = max(1, round(room * (span.end - span.start) / (last - first)))
        start = min(start, room - length)
        colour = _COLOURS.get(span.name.split()[0], "white")
        name = f"  {'  ' * max(0, span.depth - 1)}{'└ ' if span.depth else ''}{span.name}"
        table.add_row(
            name,
            span.process,
            Text(" " * start + "━" * length, style=colour),
            _duration(span.end - span.start),
        )
    console.print(table)


def _duration(nanoseconds: int) -> str:
    milliseconds = nanoseconds / 1e6
    return f"{milliseconds / 1000:.2f} s" if milliseconds >= 1000 else f"{milliseconds:.1f} ms"


# In front of the fields, or in the heading above, or told by the waterfall.
_LEFT_OUT = {
    "timestamp",
    "level",
    "event",
    "logger",
    "trace_id",
    "span_id",
    "job_id",
    "job",
    "module",
    "queue",
    "path",
}


def log_lines(lines: Sequence[tuple[str, dict[str, Any]]]) -> None:
    """Log lines of several processes, by time: the fields that they do not share are shown."""
    for process, line in lines:
        at = datetime.fromisoformat(line["timestamp"]).astimezone(UTC).strftime("%H:%M:%S.%f")[:-3]
        text = Text.assemble((f"  {at} ", "dim"), (f"{process:<7}", "cyan"), (f"{line['event']}  ", "bold"))
        for name, value in line.items():
            if name not in _LEFT_OUT:
                text.append(f"{name}=", style="dim").append(f"{value} ")
        console.print(text, overflow="ellipsis", no_wrap=True)


# --- the rest -----------------------------------------------------------------------------


def metrics(scrapes: Mapping[str, tuple[str, Sequence[str]]]) -> None:
    """Per process: a scrape, and the metrics whose samples to show of it."""
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(style="cyan")
    table.add_column()
    table.add_column(style="dim")
    table.add_column(justify="right", style="bold")
    for process, (scrape, names) in scrapes.items():
        for name, labels, value in _samples(scrape):
            if name in names:
                table.add_row(f"  {process}", name, labels, f"{value:,.10g}")
    console.print(table)


def _samples(scrape: str) -> Iterator[tuple[str, str, float]]:
    """The samples of a scrape in Prometheus' text format: name, labels that differ, value."""
    for line in scrape.splitlines():
        if line and not line.startswith("#"):
            series, _, value = line.rpartition(" ")
            name, _, labels = series.removesuffix("}").partition("{")
            shown = [label for label in labels.split(",") if label.partition("=")[0] not in ("job", "module")]
            yield name, " ".join(shown).replace('"', ""), float(value)


def commands(rows: Sequence[tuple[str, str]]) -> None:
    """What to type next, and what for."""
    for command, purpose in rows:
        console.print(f"  [dim]{purpose}[/]")
        console.print(Text(f"    {command}", style="cyan"), soft_wrap=True)


def verdict(good: bool, jobs: int, exit_codes: Sequence[int | None]) -> None:
    """The last line: is everything accounted for, and did the processes end as they should."""
    console.print()
    if good:
        console.print(
            f"[bold green]✓[/] {jobs:,} jobs accounted for; API and worker drained on SIGTERM, exit 0."
        )
    else:
        failure(
            f"not every one of {jobs:,} jobs is accounted for, or a process failed (exit codes {exit_codes})"
        )


def failure(text: str) -> None:
    """The demo did not get to its end."""
    Console(stderr=True, highlight=False).print(Text.assemble(("✗ ", "bold red"), text), soft_wrap=True)
