"""Submit to start and submit to settled: idle, at half and four fifths of what is possible; near and far."""

import sys
import tempfile
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import NamedTuple

import trio

from benchmarks.frame.bench import Bench
from benchmarks.frame.player import Player, player
from benchmarks.frame.server import benchmark_server
from benchmarks.latency.percentiles import QUANTILES, TOLD
from penstock.engine.transport import Redis

IDLE = 50.0
"""Jobs a second that leave the worker waiting nearly all the time.

One takes submitter, server and worker 1.5 ms of two cores: at 500 a second they stand in each other's way. In
40 seconds 2,000 come, of which 20 are past the 99th percentile.
"""
LOADS = {"50 %": 0.5, "80 %": 0.8}
NETWORKS = {"near": 0.0, "1 ms away": 0.001}
CALLED = "call to start"
FILL = 4_000
"""Jobs kept waiting to find out what is possible."""
_BACKLOG = 10.0  # seconds that a worker gets to catch up before those that are missing are told


class Pair(NamedTuple):
    """A worker and a submitter that reach one server in the same way."""

    worker: Player
    submitter: Player


async def run(bench: Bench, fsync: bool) -> None:
    """Networks and loads in turn; `fsync` has the server sync every write."""
    seconds = 4.0 if bench.quick else 40.0
    async with benchmark_server(fsync="always" if fsync else "none") as url:
        with bench.steps(len(NETWORKS) * (len(LOADS) + 2)) as steps:
            for network, delay in NETWORKS.items():
                async with _network(url, delay) as reached, _pair(reached) as pair:
                    bench.add("PING", "ms", await _pings(reached), network=network)
                    most = await _capacity(pair, 1.0 if bench.quick else 3.0)
                    bench.add("possible", "jobs/s", [most], network=network)
                    steps.done(f"{network}: {most:,.0f} jobs/s are possible")
                    rates = {"idle": IDLE} | {load: most * share for load, share in LOADS.items()}
                    for load, rate in rates.items():
                        await _measure(
                            bench, pair, network, load, rate, seconds if load == "idle" else seconds / 6
                        )
                        steps.done(f"{network}, {load}")
    bench.notes += [
        "from the time a job should have been submitted (Poisson arrivals), by a process beside the worker's",
        f"*{CALLED}*: from the moment at which that process called `submit`, however late its timer was",
        "a load is a share of the rate at which jobs ended while the same submitter kept the queue full",
        f"the server {'syncs every write' if fsync else 'has no append-only file'}",
    ]


async def _measure(bench: Bench, pair: Pair, network: str, load: str, rate: float, seconds: float) -> None:
    told = await pair.submitter.take(rate=rate, seconds=seconds, seed=bench.seed)
    found = await pair.worker.take(expected=told["submitted"], within=_BACKLOG)
    missing = told["submitted"] - found["count"]
    if missing:
        bench.notes.append(f"{network}, {load}: {missing:,.0f} jobs had not ended {_BACKLOG:.0f} s later")
    bench.add("rate", "jobs/s", [told["submitted"] / seconds], network=network, load=load)
    bench.add("submitter late", "ms", [told["late"]], network=network, load=load)
    for seen, what in (("call", CALLED), ("start", "submit to start"), ("settled", "submit to settled")):
        for percent in TOLD:
            value = [found[f"{seen} {percent:g}"]]
            bench.add(what, "ms", value, network=network, load=load, percentile=percent)
        if what != CALLED:
            curve = [found[f"{seen} {percent:g}"] for percent in QUANTILES]
            bench.add(f"{what}, curve", "ms", curve, network=network, load=load)


async def _capacity(pair: Pair, seconds: float) -> float:
    await pair.submitter.take(fill=FILL, seconds=seconds / 3)  # first uses of things
    return (await pair.submitter.take(fill=FILL, seconds=seconds))["rate"]


async def _pings(url: str) -> list[float]:
    taken: list[float] = []
    async with Redis(url) as redis:
        for _ in range(101):
            began = trio.current_time()
            await redis.execute("PING")
            taken.append((trio.current_time() - began) * 1000)
    return taken


@asynccontextmanager
async def _pair(url: str) -> AsyncGenerator[Pair]:
    module = [sys.executable, "-m"]
    async with (
        player([*module, "benchmarks.latency.worker_child", url]) as worker,
        player([*module, "benchmarks.latency.submitter_child", url]) as submitter,
    ):
        yield Pair(worker, submitter)


@asynccontextmanager
async def _network(url: str, delay: float) -> AsyncGenerator[str]:
    """The server's address, or that of a process which delivers late."""
    if delay == 0:
        yield url
        return
    with tempfile.TemporaryDirectory(prefix="delay-") as folder:
        path = str(Path(folder) / "sock")
        command = [sys.executable, "-m", "benchmarks.latency.delay", path, url, str(delay)]
        async with player(command):
            async with Redis(f"unix://{path}") as redis:
                await redis.execute("PING", retry_for=20)
            yield f"unix://{path}"
