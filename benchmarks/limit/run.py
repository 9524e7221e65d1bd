"""Penstock beside its own bytes sent again by a loop that does nothing else, and beside plain commands."""

import shutil

from benchmarks.contestants import child, penstock
from benchmarks.frame.bench import Bench
from benchmarks.frame.race import race, racers
from benchmarks.telemetry_variants import OFF

PENSTOCK = "Penstock, telemetry off"
IN_TURN = "the same bytes, one command after another"
UNDER_WAY = "the same bytes, 8 commands under way"
OWN_PIPELINE = "plain SET in a pipeline of 64, own loop"
THEIR_PIPELINE = "plain SET in a pipeline of 64, redis-benchmark"
UNITS = {"drained": "jobs/s", "submitted": "jobs/s", "pipelined SET": "commands/s"}
RECORDED = 10_000


async def run(bench: Bench) -> None:
    """Each on a server that syncs every write."""
    replay, recorded = "benchmarks.limit.replay_child", 2_000 if bench.quick else RECORDED
    field = {
        PENSTOCK: penstock(OFF),
        IN_TURN: child(replay, window=1, recorded=recorded),
        UNDER_WAY: child(replay, window=8, recorded=recorded),
        OWN_PIPELINE: child("benchmarks.limit.pipeline_child"),
    }
    if program := shutil.which("redis-benchmark") or shutil.which("valkey-benchmark"):
        field[THEIR_PIPELINE] = child("benchmarks.limit.pipeline_child", program)
    else:
        bench.notes.append("there is no redis-benchmark on this machine")
    async with racers(field) as started:
        await race(bench, started, UNITS)
    bench.notes.append(f"the bytes are those that Penstock sent for {recorded:,} jobs, on the same machine")
