"""What telemetry costs a job: variants take turns, each in a process of its own with a server of its own.

What telemetry costs is the difference between turns of one round.
"""

from benchmarks.contestants import penstock
from benchmarks.frame.bench import Bench
from benchmarks.frame.race import race, racers
from benchmarks.sink import sink
from benchmarks.telemetry_variants import OFF, UNSAMPLED, VARIANTS
from benchmarks.unsampled import unsampled

TURN = 1.0  # seconds: the last export, and waiting for it, are part of each turn
UNITS = {"CPU": "µs/job", "drained": "jobs/s", "exported": "jobs/s"}


async def run(bench: Bench) -> None:
    """Off, unsampled, traced, all of it, and the same with stock parts."""
    with sink() as endpoint:
        field = {variant: penstock(variant, endpoint, singly=True) for variant in VARIANTS}
        async with racers(field) as started:
            await race(bench, started, UNITS, seconds=TURN)
    result = bench.result()
    off = result.find("CPU", OFF)
    assert off is not None
    for one in result.every("CPU"):
        if one.who != OFF:
            more = [cost - without for cost, without in zip(one.values, off.values, strict=True)]
            bench.add("telemetry's CPU", "µs/job", more, one.who)
    bench.add("the scope of an attempt, by itself", "µs", await unsampled(bench.rounds), UNSAMPLED)
    bench.notes.append(
        "each job is a trace of its own, submitted singly; CPU of the whole process until all is exported; "
        "turns of a second"
    )
