"""What telemetry costs a job: variants take short turns, each in a process of its own with a server of its
own.

A machine that others share is half as fast the next minute. So turns are a fraction of a second, and what
telemetry costs is the median of the differences between turns of one round.
"""

import statistics
import subprocess
import sys
from collections.abc import Mapping, Sequence
from functools import partial

import msgspec
import trio
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from benchmarks.sink import sink
from benchmarks.telemetry_drain import Cost
from benchmarks.telemetry_variants import OFF, VARIANTS
from penstock.deploy.embedded import EmbeddedServer

HEADINGS = ("telemetry", "CPU µs a job", "lowest", "telemetry's", "drained a second", "highest", "exported")


async def run(jobs: int, rounds: int) -> None:
    """Print a table of medians and spreads."""
    costs: dict[str, list[Cost]] = {variant: [] for variant in VARIANTS}
    async with trio.open_nursery() as nursery:
        with sink() as endpoint, Progress(console=Console(stderr=True), transient=True) as progress:
            task = progress.add_task("telemetry", total=len(VARIANTS) * rounds)
            turns = {variant: await nursery.start(_child, jobs, variant, endpoint) for variant in VARIANTS}
            for turn in turns.values():
                await turn.take()  # first uses of things are not what is measured
            for number in range(rounds):
                # There and back: what slows down or speeds up within a round cancels out.
                for variant in VARIANTS if number % 2 else VARIANTS[::-1]:
                    costs[variant].append(await turns[variant].take())
                    progress.advance(task)
            nursery.cancel_scope.cancel()
    Console().print(_table(costs, jobs, rounds))


class Turns:
    """A process that makes a turn whenever it is told to."""

    def __init__(self, process: trio.Process) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        self._tell = process.stdin
        self._answers = process.stdout

    async def take(self) -> Cost:
        """Have it make one; raises `RuntimeError` where it has ended."""
        await self._tell.send_all(b"\n")
        answer = b""
        while not answer.endswith(b"\n"):
            some = await self._answers.receive_some()
            if not some:
                raise RuntimeError("a measured process has ended")
            answer += some
        return msgspec.json.decode(answer, type=Cost)


async def _child(jobs: int, variant: str, endpoint: str, task_status: trio.TaskStatus[Turns]) -> None:
    async with EmbeddedServer.open() as server, trio.open_nursery() as nursery:
        command = [sys.executable, "-m", "benchmarks.telemetry_drain", server.url, str(jobs), variant]
        pipe = subprocess.PIPE
        process = await nursery.start(
            partial(trio.run_process, [*command, endpoint], stdin=pipe, stdout=pipe, stderr=pipe)
        )
        # Lines go into a pipe that somebody reads, as under a container runtime.
        nursery.start_soon(_discard, process.stderr)
        task_status.started(Turns(process))


async def _discard(lines: trio.abc.ReceiveStream) -> None:
    async for _ in lines:
        pass


def _table(costs: Mapping[str, Sequence[Cost]], jobs: int, rounds: int) -> Table:
    table = Table(
        title=f"{jobs:,} no-op jobs a turn, submitted one by one; one worker process, {rounds} rounds",
        caption="medians (with quartiles); CPU of the whole process until all is exported, telemetry's "
        "share as differences between turns of one round; the server syncs every write",
    )
    for heading in HEADINGS:
        table.add_column(heading, justify="left" if heading == "telemetry" else "right")
    for variant, turns in costs.items():
        more = [turn.cpu - off.cpu for turn, off in zip(turns, costs[OFF], strict=True)]
        table.add_row(
            variant,
            _cell([turn.cpu for turn in turns]),
            f"{min(turn.cpu for turn in turns):.0f}",
            "" if variant == OFF else _cell(more),
            f"{statistics.median(turn.drained for turn in turns):,.0f}",
            f"{max(turn.drained for turn in turns):,.0f}",
            f"{statistics.median(turn.exported for turn in turns):,.0f}",
        )
    return table


def _cell(values: Sequence[float]) -> str:
    low, middle, high = (f"{value:.0f}" for value in statistics.quantiles(values, n=4))
    return f"{middle} ({low}-{high})"
