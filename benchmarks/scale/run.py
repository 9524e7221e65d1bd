"""The curves of the scale benchmark, the places of each in turn."""

from collections.abc import Sequence
from contextlib import AsyncExitStack

import msgspec

from benchmarks.contestants import child
from benchmarks.frame.bench import Bench, Steps
from benchmarks.frame.player import Figures
from benchmarks.frame.race import Contestant, racers
from benchmarks.scale import processes

UNITS = {
    "drained": "jobs/s",
    "CPU": "µs/job",
    "server CPU": "µs/job",
    "commands": "a job",
    "round trips": "a job",
    "waiting": "bytes/job",
    "longest command": "ms",
}


class Place(msgspec.Struct, frozen=True):
    """Where on a curve; all else is one tenant, one queue, 100 bytes and 10,000 jobs that wait."""

    curve: str
    x: int
    tenants: int = 1
    queues: int = 1
    payload: int = 100
    backlog: int = 10_000
    most: int = 4_000
    """Jobs in a turn."""


BACKLOG, TENANTS, QUEUES, PAYLOAD = "jobs waiting", "tenants", "queues", "bytes of payload"
CURVES = {
    BACKLOG: [Place(BACKLOG, n, backlog=n, most=1_000) for n in (1_000, 10_000, 100_000, 1_000_000)],
    TENANTS: [Place(TENANTS, n, tenants=n) for n in (1, 10, 100, 1_000, 10_000)],
    QUEUES: [Place(QUEUES, n, queues=n) for n in (1, 10, 100)],
    PAYLOAD: [Place(PAYLOAD, n, payload=n, most=2_000) for n in (100, 1_000, 10_000)]
    + [Place(PAYLOAD, 100_000, payload=100_000, backlog=500, most=500)],
}


async def run(bench: Bench, only: Sequence[str]) -> None:
    """Each curve by itself: all its places are open at once, and take turns."""
    curves = {name: places for name, places in CURVES.items() if not only or name in only}
    crews = not only or processes.CURVE in only
    places = sum(map(len, curves.values())) * (bench.rounds + 1)
    with bench.steps(places + crews * (bench.rounds + 1)) as steps:
        for places_of_one in curves.values():
            chosen = [place for place in places_of_one if not bench.quick or place.backlog <= 100_000]
            await _measure(bench, steps, chosen)
        if crews:
            await processes.measure(bench, steps)
    bench.notes.append("one tenant, one queue, 100 bytes, 10,000 jobs waiting: all but what is varied")


async def _measure(bench: Bench, steps: Steps, places: Sequence[Place]) -> None:
    found: list[list[Figures]] = [[] for _ in places]
    async with AsyncExitStack() as stack:
        contestants = {str(number): _child(place) for number, place in enumerate(places)}
        field = list((await stack.enter_async_context(racers(contestants))).values())
        for racer, place in zip(field, places, strict=True):
            # As many jobs at each place: what joining costs is shared by the jobs of a turn.
            racer.jobs = place.most // 4 if bench.quick else place.most
            await racer.take()
            steps.done(f"{place.curve}: {place.x:,}")
        for number in range(bench.rounds):
            for n in list(range(len(places)))[:: 1 if number % 2 else -1]:
                found[n].append(await field[n].take())
                steps.done(f"{places[n].curve}: {places[n].x:,}")
    for place, turns in zip(places, found, strict=True):
        for what, unit in UNITS.items():
            bench.add(what, unit, [turn[what] for turn in turns], curve=place.curve, x=place.x)


def _child(place: Place) -> Contestant:
    shape = (place.tenants, place.queues, place.payload, place.backlog)
    return child("benchmarks.scale.drain_child", *map(str, shape))
