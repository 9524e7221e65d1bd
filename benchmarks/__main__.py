"""`python -m benchmarks <name>`."""

import click
import trio

from benchmarks import hotpath


@click.group(help=__doc__)
def main() -> None: ...


@main.command("hotpath")
@click.option("--jobs", default=20_000, show_default=True, help="No-op jobs in one run.")
@click.option("--rounds", default=3, show_default=True, help="Runs of each variant, taken in turn.")
def hotpath_command(jobs: int, rounds: int) -> None:
    """Jobs drained per second by one worker process, telemetry off and on, and Redis commands per job."""
    trio.run(hotpath.run, jobs, rounds)


if __name__ == "__main__":
    main()
