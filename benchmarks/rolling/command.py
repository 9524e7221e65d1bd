"""`python -m benchmarks rolling`."""

import click
import trio

from benchmarks.rolling.report import print_verdict, show
from benchmarks.rolling.run import run
from benchmarks.rolling.stage import Plan


@click.command("rolling")
@click.option("--rate", default=60.0, show_default=True, help="Submissions a second over HTTP.")
@click.option(
    "--linger", default=2.0, show_default=True, help="Seconds for which an API goes on after SIGTERM."
)
@click.option("--calm", default=10.0, show_default=True, help="Seconds before and after, for comparison.")
@click.option("--seed", default=1, show_default=True, help="The same seed plans the same load.")
def rolling(rate: float, linger: float, calm: float, seed: int) -> None:
    """Replace two APIs and three workers one by one under load; count what was lost, repeated or refused."""
    plan = Plan(seed=seed, rate=rate, linger=linger, calm=calm)
    verdict = trio.run(run, plan, show)
    print_verdict(verdict, plan)
    raise SystemExit(0 if verdict.fine else 1)
