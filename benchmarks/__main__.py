"""`python -m benchmarks <name>`."""

from functools import partial

import click
import trio

from benchmarks import durability
from benchmarks.chaos import report as chaos_report
from benchmarks.chaos import run as chaos_run
from benchmarks.commands import COMMANDS
from benchmarks.planning.command import planning
from benchmarks.reliability import run as reliability
from benchmarks.rolling.command import rolling


@click.group(help=__doc__)
def main() -> None: ...


for command in (*COMMANDS, planning, rolling):
    main.add_command(command)


@main.command("chaos")
@click.option("--minutes", default=3.0, show_default=True, help="How long faults go on.")
@click.option("--seed", default=1, show_default=True, help="The same seed plans the same faults and jobs.")
@click.option("--keep", is_flag=True, help="Keep history, logs and data also where nothing was wrong.")
def chaos_command(minutes: float, seed: int, keep: bool) -> None:
    """Kill, stop, drain and cut off workers, submitters and the server; count what was lost or done twice."""
    verdict = trio.run(chaos_run.run, seed, minutes * 60, chaos_report.Show(), keep)
    chaos_report.print_verdict(verdict)
    raise SystemExit(0 if verdict.fine else 1)


@main.command("durability")
@click.option("--rounds", default=2, show_default=True, help="Kills of each kind.")
def durability_command(rounds: int) -> None:
    """Kill servers under load and count what was acknowledged and is gone, by the way it was to be kept."""
    trio.run(durability.run, rounds)


@main.command("job-history")
@click.option("--jobs", default=1_000_000, show_default=True, help="Jobs in the database.")
@click.option("--url", help="An empty database; else a new SQLite file.")
def job_history_command(jobs: int, url: str | None) -> None:
    """How many endings a second the history takes, and how long searches in it take."""
    from benchmarks import (  # whose extra, penstock[postgresql], others do without
        job_history,
        relay_to_history,
    )

    trio.run(job_history.run, jobs, url)
    trio.run(relay_to_history.run, min(jobs, relay_to_history.MOST), url)


@main.command("reliability")
@click.option("--peers", is_flag=True, help="Also try the peers, in environments made by pip on demand.")
@click.option("--only", multiple=True, metavar="WORD", help="Only systems whose names contain this word.")
def reliability_command(peers: bool, only: tuple[str, ...]) -> None:
    """Try seven cases in which job queues lose, repeat or delay work, and say what happened."""
    trio.run(partial(reliability.run, peers=peers, only=only))


if __name__ == "__main__":
    main()
