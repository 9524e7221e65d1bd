"""Submitting from Python: one job after another and in bulk, beside the same bytes from a bare socket."""

from benchmarks.contestants import child
from benchmarks.frame.bench import Bench
from benchmarks.frame.race import race, racers
from benchmarks.submit_child import BARE_BULK, BARE_SINGLY, BULK, SINGLY

UNITS = {"submitted": "jobs/s", "one submission": "µs"}


async def run(bench: Bench) -> None:
    """All on servers without an append-only file, as peers are measured."""
    module = "benchmarks.submit_child"
    field = {
        f"{how}, {backend}": child(module, backend, how=how)
        for how in (SINGLY, BULK)
        for backend in ("trio", "asyncio")
    } | {how: child(module, "trio", how=how) for how in (BARE_SINGLY, BARE_BULK)}
    async with racers(field, fsync="none") as started:
        await race(bench, started, UNITS, seconds=0.3)
    bench.notes.append("bulk is 500 jobs in a submission; no append-only file")
