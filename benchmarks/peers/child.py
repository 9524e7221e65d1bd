"""The side of a peer that is measured: `… child.py REDIS APP`, with the standard library only.

It runs in the peer's environment and makes a turn for each line that it reads: flushes the server, submits
one after another, submits in the way that its authors recommend for many, drains all of it with one worker,
and prints what that came to.
"""

import asyncio
import inspect
import json
import os
import socket
import sys
import threading
import time
from importlib import import_module
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

sys.path[0] = str(Path(__file__).parents[2])  # else benchmarks/peers, whose files hide nobody's modules

from benchmarks.peers.tally import Tally  # noqa: E402 -- found by the path above

SINGLES = 40
"""Submissions one after another."""
WITHIN = 240.0
"""Seconds that a worker has."""
STOP_WITHIN = 2.0
"""Seconds after which a cancelled worker is left where it is."""


def main(url: str, app: str) -> None:
    """Take turns until nobody asks for another."""
    answers, sys.stdout = sys.stdout, sys.stderr  # what a library prints is no answer
    module = import_module(f"benchmarks.peers.apps.{app}")
    for line in sys.stdin:
        order = json.loads(line)
        flush(url)
        figures = (_forked if getattr(module, "FORKED", False) else _take)(module, url, order)
        print(json.dumps(figures), file=answers, flush=True)


def _take(module: Any, url: str, order: Any) -> dict[str, float]:
    app = module.App(url, order["at_once"])
    if inspect.iscoroutinefunction(app.work):
        figures: dict[str, float] = run_async(_turn_async(app, order))
        return figures
    return _turn(app, order)


def _forked(module: Any, url: str, order: Any) -> dict[str, float]:
    """In a process of its own, for workers that start only once in one."""
    reading, writing = os.pipe()
    if (pid := os.fork()) == 0:
        try:
            os.write(writing, json.dumps(_take(module, url, order)).encode())
        finally:
            os._exit(0)  # threads of the worker may still be there
    os.close(writing)
    with os.fdopen(reading) as answer:
        figures = answer.read()
    os.waitpid(pid, 0)
    return dict(json.loads(figures))


def run_async(turn: Any) -> Any:
    """On uvloop, where it is there, and on a loop of its own, left as it is then: not every worker ends."""
    try:
        uvloop = import_module("uvloop")  # the environments of those who gain by it have it
    except ImportError:
        return asyncio.new_event_loop().run_until_complete(turn)
    return uvloop.new_event_loop().run_until_complete(turn)


async def _turn_async(app: Any, order: Any) -> dict[str, float]:
    jobs, seconds, done = int(order["jobs"]), float(order.get("sleep", 0.0)), asyncio.Event()
    loop = asyncio.get_running_loop()
    app.tally = Tally(jobs + SINGLES, lambda: loop.call_soon_threadsafe(done.set))
    async with app.open():
        began = time.perf_counter()
        for number in range(SINGLES):
            await app.one(number, seconds)
        single, began = time.perf_counter() - began, time.perf_counter()
        await app.many(jobs, seconds)
        bulk, began = time.perf_counter() - began, time.perf_counter()
    working = asyncio.create_task(app.work())
    waiting = asyncio.create_task(done.wait())
    await asyncio.wait({working, waiting}, timeout=WITHIN, return_when=asyncio.FIRST_COMPLETED)
    drained = time.perf_counter() - began
    if not done.is_set():
        raise RuntimeError(f"the worker has not run all jobs: {working}")
    working.cancel()
    await asyncio.wait({working}, timeout=STOP_WITHIN)
    return _figures(app.tally, jobs, single, bulk, drained)


def _turn(app: Any, order: Any) -> dict[str, float]:
    jobs, seconds, done = int(order["jobs"]), float(order.get("sleep", 0.0)), threading.Event()
    app.tally = Tally(jobs + SINGLES, done.set)
    began = time.perf_counter()
    for number in range(SINGLES):
        app.one(number, seconds)
    single, began = time.perf_counter() - began, time.perf_counter()
    app.many(jobs, seconds)
    bulk, began = time.perf_counter() - began, time.perf_counter()
    app.work(done)
    if not done.wait(WITHIN):
        raise RuntimeError("the worker has not run all jobs")
    drained = time.perf_counter() - began
    app.stop()
    return _figures(app.tally, jobs, single, bulk, drained)


def _figures(tally: Tally, jobs: int, single: float, bulk: float, drained: float) -> dict[str, float]:
    rate = tally.rate()
    return {
        "seconds": jobs / rate,
        "drained": rate,
        "submitted": jobs / bulk,
        "one submission": single / SINGLES * 1e6,
        "submitted all": bulk,
        "drained all": drained,
    }


def flush(url: str) -> None:
    """Empty the server."""
    place = urlsplit(url)
    with socket.create_connection((place.hostname, place.port)) as line:
        line.sendall(b"FLUSHALL\r\n")
        assert line.recv(100).startswith(b"+OK")


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
