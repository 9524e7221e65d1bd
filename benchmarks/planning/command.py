"""`python -m benchmarks planning`."""

import click
import trio
from rich.console import Console
from rich.markdown import Markdown

from benchmarks.planning import page
from benchmarks.planning.costs import Costs
from benchmarks.planning.doubts import impossible
from benchmarks.planning.figures import Figures, load, predict, save
from benchmarks.planning.measuring.measure import measure
from benchmarks.planning.validate import Row, validate


@click.command("planning")
@click.option("--measure", "anew", is_flag=True, help="Measure this machine first; else use what is kept.")
@click.option(
    "--seconds", default=2.0, show_default=True, help="For which a worker is watched at each concurrency."
)
def planning(anew: bool, seconds: float) -> None:
    """Say how many queues, servers and workers a load needs; writes docs/planning.md's tables and picture.

    Figures that cannot be (a price below nothing, a ceiling above what the calls allow) are refused, and
    nothing is written; doubtful ones are marked on the page.
    """
    if anew:
        costs, checked = trio.run(_measure, seconds)
    else:
        kept = load()
        costs, checked = kept.costs, kept.checked
    figures = Figures(costs, checked, predict(costs))
    if wrong := impossible(figures):
        raise click.ClickException("\n".join(("not kept, because it cannot be:", *wrong)))
    save(figures)
    page.refresh(figures)
    console = Console()
    for lines in page.tables(figures).values():
        console.print(Markdown("\n".join(lines)))


async def _measure(seconds: float) -> tuple[Costs, list[Row]]:
    costs = await measure(seconds)
    return costs, await validate(costs, seconds)
