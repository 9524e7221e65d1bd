"""Submitting over HTTP: NDJSON batches and single requests, beside an app that does nothing.

Both are served by the same front end's server.
"""

import subprocess
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import trio

from benchmarks.frame.bench import Bench
from benchmarks.frame.machine import ROOT
from benchmarks.frame.server import benchmark_server, free_port
from benchmarks.http_load import hammer, post
from benchmarks.sink import sink
from penstock.engine.transport import Redis

API, TRACED, BARE = "penstock api", "penstock api, traced", "an app that does nothing"
BATCH = 5_000
CONNECTIONS = 16
SINGLES, FEW_SINGLES = 400, 64
_READY_WITHIN = 90.0  # seconds

_LINES = b"".join(b'{"job":"bench.noop","args":{"number":%d}}\n' % number for number in range(BATCH))
_BATCH = post("/v1/jobs/batch", "application/x-ndjson", _LINES)
_SINGLE = post("/v1/jobs", "application/json", b'{"job":"bench.noop","args":{"number":1}}')


async def run(bench: Bench) -> None:
    """The API as `penstock api` starts it, on a server that has no append-only file."""
    penstock = [str(Path(sys.executable).with_name("penstock")), "api", "benchmarks.drain:bench"]
    async with benchmark_server(fsync="none") as url, Redis(url) as redis:
        with sink() as endpoint:
            api = [*penstock, "--redis", url, "--log-format", "json", "--bind"]
            async with (
                _listening(*api, "127.0.0.1:{port}") as plain,
                _listening(*api, "127.0.0.1:{port}", "--otlp-endpoint", endpoint) as traced,
                _listening(sys.executable, "-m", "benchmarks.http_bare", "{port}") as bare,
            ):
                await _measure(bench, redis, {API: plain, TRACED: traced, BARE: bare})
    bench.notes += [
        f"batches of {BATCH:,} lines on one connection; single requests on {CONNECTIONS} connections",
        "the client is a process of its own and shares the machine",
    ]


async def _measure(bench: Bench, redis: Redis, ports: dict[str, int]) -> None:
    requests = FEW_SINGLES if bench.quick else SINGLES
    batches = {name: list[float]() for name in ports}
    singles = {name: list[float]() for name in ports}
    with bench.steps(bench.rounds + 1) as steps:
        for number in range(bench.rounds + 1):
            for name, port in list(ports.items())[:: 1 if number % 2 else -1]:
                await redis.execute("FLUSHALL")
                batch = await hammer(port, _BATCH, 1, 1)
                single = await hammer(port, _SINGLE, requests, CONNECTIONS)
                if number:  # the first round is the warm-up
                    batches[name].append(BATCH / batch)
                    singles[name].append(requests / single)
            steps.done()
    for name in ports:
        bench.add("NDJSON batch", "jobs/s", batches[name], name)
        bench.add("single requests", "jobs/s", singles[name], name)


@asynccontextmanager
async def _listening(*command: str) -> AsyncGenerator[int]:
    """Run a server for the length of the block; gives its port once it answers."""
    port = free_port()
    words = [word.replace("{port}", str(port)) for word in command]
    nowhere = subprocess.DEVNULL
    process = await trio.lowlevel.open_process(words, stdin=nowhere, stdout=nowhere, stderr=nowhere, cwd=ROOT)
    try:
        await _answers(process, port)
        yield port
    finally:
        process.kill()
        with trio.CancelScope(shield=True):  # a killed process ends at once
            await process.wait()


async def _answers(process: trio.Process, port: int) -> None:
    with trio.fail_after(_READY_WITHIN):
        while process.poll() is None:
            try:
                async with await trio.open_tcp_stream("127.0.0.1", port):
                    return
            except OSError:
                await trio.sleep(0.05)
    raise RuntimeError(f"{process.args!r} has ended with code {process.returncode}")
