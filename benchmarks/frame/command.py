"""Benchmarks as commands: the same options for all, the result shown and kept."""

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import click
import trio
from rich.console import Console

from benchmarks.frame.bench import Bench
from benchmarks.frame.result import FOLDER
from benchmarks.frame.show import table

QUICK = 3
"""Rounds of a quick run, which shows that everything works and no figure worth repeating."""

Run = Callable[..., Awaitable[None]]


def measured(name: str, run: Run, meaning: str, *options: Any, rounds: int = 1) -> click.Command:
    """A command that runs a benchmark, which gets a `Bench` and the values of `options`."""

    def command(rounds: int | None, quick: bool, seed: int, results: Path, **chosen: Any) -> None:
        turns = rounds or (min(QUICK, default) if quick else default)
        bench = Bench(name, rounds=turns, quick=quick, seed=seed, folder=results)
        trio.run(lambda: run(bench, **chosen))
        console = Console()
        console.print(table(bench.result()))
        console.print(f"kept in {bench.save()}", style="dim", highlight=False)

    default = rounds
    for option in (*reversed(options), *reversed(_shared(rounds))):
        command = option(command)
    return click.command(name, help=meaning)(command)


def _shared(rounds: int) -> tuple[Callable[[Any], Any], ...]:
    return (
        click.option(
            "--rounds", type=click.IntRange(1), help=f"Turns of each contestant.  [default: {rounds}]"
        ),
        click.option("--quick", is_flag=True, help="Seconds instead of minutes: to see that it works."),
        click.option("--seed", default=1, show_default=True, help="For arrivals and whatever else is drawn."),
        click.option(
            "--results",
            type=click.Path(path_type=Path, file_okay=False),
            default=FOLDER,
            help="The folder in which the result is kept.  [default: benchmarks/results]",
        ),
    )
