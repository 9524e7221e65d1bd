"""µs of CPU that one job costs, by what they are for and by function: telemetry off and all of it."""

from collections.abc import Sequence

from benchmarks.contestants import child
from benchmarks.costs.purposes import PURPOSES
from benchmarks.frame.bench import Bench
from benchmarks.frame.player import Figures
from benchmarks.frame.race import racers
from benchmarks.sink import sink
from benchmarks.telemetry_variants import ALL, OFF

FUNCTIONS = 25
"""Of each variant, the costliest."""


async def run(bench: Bench) -> None:
    """Turns of a second and a half, for some hundred samples each."""
    found: dict[str, list[Figures]] = {OFF: [], ALL: []}
    with sink() as endpoint, bench.steps(2 * (bench.rounds + 1)) as steps:
        field = {variant: child("benchmarks.costs.child", variant, endpoint) for variant in found}
        async with racers(field) as started:
            for variant, racer in started.items():
                await racer.warm_up(0.3 if bench.quick else 1.5, 50_000)
                steps.done(variant)
            for number in range(bench.rounds):
                for variant in list(found)[:: 1 if number % 2 else -1]:
                    found[variant].append(await started[variant].take())
                    steps.done(variant)
    for variant, turns in found.items():
        bench.add("server", "µs/job", [turn["server"] for turn in turns], variant)
        for purpose in PURPOSES:
            values = [turn.get(f"for {purpose}", 0.0) for turn in turns]
            if any(values):
                bench.add("worker", "µs/job", values, variant, purpose=purpose)
        for name in _costliest(turns):
            mean = sum(turn.get(name, 0.0) for turn in turns) / len(turns)  # few samples in a turn, if any
            bench.add("in", "µs/job", [mean], variant, function=name.removeprefix("in "))
    bench.notes.append(
        "sampled every 2 ms of CPU; what C does is counted for the Python function that called it"
    )


def _costliest(turns: Sequence[Figures]) -> list[str]:
    names = {name for turn in turns for name in turn if name.startswith("in ")}
    return sorted(names, key=lambda name: -sum(turn.get(name, 0.0) for turn in turns))[:FUNCTIONS]
