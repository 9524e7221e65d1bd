"""A container runtime that reads no more of a worker's log costs lines, which are counted, and no job."""

import json
import os
import re
import subprocess
import urllib.request
from collections.abc import Generator
from contextlib import contextmanager, suppress
from typing import Any

import trio

from e2e.system import APP, WITHIN, connected
from penstock.engine import JobState
from penstock.telemetry.logs.writer import CAPACITY
from support.application import add
from support.processes import PENSTOCK, TESTS
from support.redis_server import ValkeyServer

LINES_A_JOB = 2
TOO_MANY = CAPACITY * 3 // 5
"""Jobs whose lines are a fifth more than a worker holds for a stream that stalls."""
ENOUGH = 400
"""Jobs whose lines are more than a pipe holds."""


class Unread:
    """A worker whose standard error goes into a pipe, of which nobody reads but whoever calls."""

    def __init__(self, redis: str) -> None:
        reading, writing = os.pipe()
        command = [PENSTOCK, "worker", APP, "--redis", redis, "--log-format", "json"]
        self.worker = subprocess.Popen(
            [*command, "--metrics-bind", "127.0.0.1:0"],
            stdin=subprocess.DEVNULL,
            stderr=writing,
            env={"PATH": os.environ["PATH"], "PYTHONPATH": str(TESTS)},
        )
        os.close(writing)
        self._pipe = os.fdopen(reading, "rb", buffering=0)
        self._read = b""

    def started(self) -> str:
        """Read until it works; the URL of its metrics."""
        while b'"worker started"' not in self._read:
            part = self._pipe.read(65536)
            assert part, self._read
            self._read += part
        [url] = re.findall(rb"Running on (\S+)", self._read)
        return str(url, "ascii")

    def rest(self) -> list[dict[str, Any]]:
        """Read to the end; all of its lines."""
        while part := self._pipe.read(65536):
            self._read += part
        return [json.loads(line) for line in self._read.splitlines()]

    def close(self) -> None:
        """Kill what still runs."""
        with suppress(ProcessLookupError):
            self.worker.kill()
        self.worker.wait()
        self._pipe.close()


@contextmanager
def unread(redis: str) -> Generator[Unread]:
    """Such a worker; gone at the end whatever happens."""
    worker = Unread(redis)
    try:
        yield worker
    finally:
        worker.close()


async def succeed(redis: str, jobs: int) -> None:
    """Submit so many jobs and see them end."""
    async with connected(redis) as client:
        with trio.fail_after(WITHIN):
            receipts = await client.submit_many([add.request(left=1)] * jobs)
            states = {(await client.wait(receipt.id)).state for receipt in receipts}
    assert states == {JobState.SUCCEEDED}


def dropped(url: str) -> dict[str, int]:
    """Log lines lost by reason, as /metrics has it."""
    with urllib.request.urlopen(f"{url}/metrics", timeout=30) as answer:
        text = answer.read().decode()
    found = re.findall(
        r'^penstock_telemetry_dropped_total{signal="logs",reason="(\w+)"} (\d+)$', text, re.MULTILINE
    )
    return {reason: int(lines) for reason, lines in found}


async def test_jobs_go_on_and_each_line_is_read_or_counted(valkey: ValkeyServer) -> None:
    """Jobs end as before while nobody reads; once somebody does, what was held comes, every line whole.

    What is missing stands in `penstock_telemetry_dropped_total`.
    """
    with unread(valkey.url) as stalled:
        url = await trio.to_thread.run_sync(stalled.started)
        await succeed(valkey.url, TOO_MANY)
        lost = await trio.to_thread.run_sync(dropped, url)
        stalled.worker.terminate()
        lines = await trio.to_thread.run_sync(stalled.rest)
        assert await trio.to_thread.run_sync(stalled.worker.wait, WITHIN) == 0

    read = sum(line["event"] in {"added", "job finished"} for line in lines)
    assert lost["queue_full"] > 0
    assert lost["stream_failed"] == lost["closed"] == 0
    # A few of those that were dropped may be the worker's own, of claims given back.
    assert 0 <= read + lost["queue_full"] - LINES_A_JOB * TOO_MANY <= 50
    assert lines[-1]["event"] == "worker stopped"


async def test_a_worker_ends_although_nobody_reads(valkey: ValkeyServer) -> None:
    """Told to end, it does, in order: the lines that it still holds are given up after a moment."""
    with unread(valkey.url) as stalled:
        await trio.to_thread.run_sync(stalled.started)
        await succeed(valkey.url, ENOUGH)
        stalled.worker.terminate()

        assert await trio.to_thread.run_sync(stalled.worker.wait, WITHIN) == 0
