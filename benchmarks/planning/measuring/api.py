"""What submissions cost an API process, singly and many in one request, and a client in Python."""

import time
from http import HTTPStatus
from pathlib import Path

import msgspec
import trio

from benchmarks.planning import costs
from benchmarks.planning.measuring.instruments import process
from benchmarks.planning.measuring.work import noop
from benchmarks.rolling.connection import Connection
from benchmarks.rolling.process import Process, free_port
from penstock.engine import Client
from penstock.engine.redis_store import RedisStore
from penstock.engine.transport import Redis

REQUESTS = 600
BATCHES, LINES = 20, 500
SIZES = (1, 8, 64, 500)
_BODY = msgspec.json.encode({"job": "planned.noop", "args": {"number": 7}})


async def measure(url: str, folder: Path) -> tuple[float, float]:
    """Microseconds of one submission by itself, and of one in an NDJSON request of many."""
    port = free_port()
    words = ["api", "benchmarks.planning.measuring.work:planned", "--redis", url, "--log-level", "warning"]
    words += ["--bind", f"127.0.0.1:{port}", "--max-waiting", "0"]
    api = Process("api", port, words, folder)
    async with trio.open_nursery() as nursery:
        await nursery.start(api.run)
        single = await _cost(api, "/v1/jobs", "application/json", _BODY, REQUESTS)
        lines = (_BODY + b"\n") * LINES
        many = await _cost(api, "/v1/jobs/batch", "application/x-ndjson", lines, BATCHES)
        nursery.cancel_scope.cancel()
    return single, many / LINES


async def _cost(api: Process, path: str, kind: str, body: bytes, requests: int) -> float:
    connection = await Connection.open(api.port)

    async def ask(times: int) -> None:
        for _ in range(times):
            answer = await connection.post(path, {"Content-Type": kind}, body)
            if answer.status not in (HTTPStatus.OK, HTTPStatus.ACCEPTED):
                raise RuntimeError(f"{path} answered {answer.status}: {answer.body[:200]!r}")

    await ask(requests // 4)  # first uses of things are not what is measured
    before = process(api.pid)
    await ask(requests)
    spent = process(api.pid) - before
    connection.close()
    return spent / requests


async def measure_client(redis: Redis) -> costs.Step:
    """Of `submit_many` with few and with many jobs, in this process."""
    client, spent = Client(RedisStore(redis), max_waiting=0), list[float]()
    for size in SIZES:
        calls = max(10, 2000 // size)
        began = time.process_time()
        for _ in range(calls):
            await client.submit_many([noop.request(number) for number in range(size)])
        spent.append(1e6 * (time.process_time() - began) / calls)
    return costs.step_of(SIZES, spent)
