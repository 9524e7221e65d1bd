"""A race: contestants take short turns one after another, there and back, round after round."""

from collections.abc import AsyncGenerator, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import msgspec

from benchmarks.frame.bench import Bench
from benchmarks.frame.player import Figures, Player, player
from benchmarks.frame.server import Fsync, benchmark_server

FIRST_JOBS = 200
TURN_SECONDS = 0.5
"""What a turn takes: enough for thousands of jobs, too little for the machine to become another."""
MOST_JOBS = 50_000


class Contestant(msgspec.Struct, frozen=True, kw_only=True):
    """How a process that takes part is started; `{redis}` in its command is the URL of its server."""

    command: Sequence[str]
    env: Mapping[str, str] | None = None
    order: Mapping[str, Any] = {}
    """What each of its turns is told, beside the number of jobs."""


class Racer(msgspec.Struct, kw_only=True):
    """One who takes part, while it does."""

    player: Player
    order: Mapping[str, Any]
    jobs: int = FIRST_JOBS

    async def take(self) -> Figures:
        """Make a turn."""
        return await self.player.take(jobs=self.jobs, **self.order)

    async def warm_up(self, seconds: float, most: int) -> None:
        """Turns that do not count, until one takes about `seconds`: first uses, and how many jobs fit."""
        for _ in range(3):
            taken = (await self.take())["seconds"]
            self.jobs = round(min(most, max(20, self.jobs * seconds / max(taken, 1e-6))))


@asynccontextmanager
async def racers(
    contestants: Mapping[str, Contestant], *, fsync: Fsync = "always", port: bool = False
) -> AsyncGenerator[dict[str, Racer]]:
    """Start everybody, each with a server of its own, for the length of the block."""
    async with AsyncExitStack() as stack:
        started: dict[str, Racer] = {}
        for name, one in contestants.items():
            url = await stack.enter_async_context(benchmark_server(fsync=fsync, port=port))
            command = [word.replace("{redis}", url) for word in one.command]
            process = await stack.enter_async_context(player(command, one.env))
            started[name] = Racer(player=process, order=one.order)
        yield started


async def race(
    bench: Bench,
    field: Mapping[str, Racer],
    units: Mapping[str, str],
    *,
    seconds: float = TURN_SECONDS,
    most: int = MOST_JOBS,
) -> None:
    """Warm everybody up, let them take `bench.rounds` turns each, and keep the figures named in `units`."""
    found: dict[str, list[Figures]] = {name: [] for name in field}
    with bench.steps(len(field) * (bench.rounds + 1)) as steps:
        for name, racer in field.items():
            await racer.warm_up(seconds, most)
            steps.done(name)
        for number in range(bench.rounds):
            # There and back: what slows down or speeds up within a round cancels out.
            for name in list(field)[:: 1 if number % 2 else -1]:
                found[name].append(await field[name].take())
                steps.done(name)
    for name, turns in found.items():
        for what, unit in units.items():
            keep(bench, what, unit, turns, name)


def keep(bench: Bench, what: str, unit: str, turns: Iterable[Figures], who: str) -> None:
    """Keep one figure of some turns, where they have it."""
    values = [turn[what] for turn in turns if what in turn]
    if values:
        bench.add(what, unit, values, who)
