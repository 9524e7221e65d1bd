"""The hot path: what one worker process drains, telemetry off and on."""

from benchmarks.contestants import penstock
from benchmarks.frame.bench import Bench
from benchmarks.frame.race import race, racers
from benchmarks.sink import sink
from benchmarks.telemetry_variants import ALL, OFF

UNITS = {
    "drained": "jobs/s",
    "exported": "jobs/s",
    "submitted": "jobs/s",
    "CPU": "µs/job",
    "server CPU": "µs/job",
    "commands": "a job",
    "round trips": "a job",
    "sent": "bytes/job",
}


async def run(bench: Bench) -> None:
    """Telemetry off and all of it, each synced to disk at every write."""
    with sink() as endpoint:
        field = {variant: penstock(variant, endpoint) for variant in (OFF, ALL)}
        async with racers(field) as started:
            await race(bench, started, UNITS)
    bench.notes.append("jobs are submitted 500 at a time; the server syncs every write")
