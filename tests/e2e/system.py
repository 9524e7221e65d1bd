"""Helpers of the process-level tests: workers, an API, and a client beside them."""

import json
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import trio

from penstock.engine import Client, Job, Receipt
from penstock.engine.redis_store import RedisStore
from penstock.engine.transport import Redis
from support.processes import Process, Start

APP = "support.application:trial"
WITHIN = 60.0
"""Seconds that the whole of a test may wait for jobs on a machine that is swamped."""


def start_worker(start: Start, redis: str, *options: str) -> Process:
    """A worker that has its leases."""
    worker = start("worker", APP, "--redis", redis, *options)
    worker.wait_for_line("worker started")
    return worker


def start_api(start: Start, redis: str, *options: str) -> tuple[Process, str]:
    """An API and its URL."""
    api = start("api", APP, "--redis", redis, "--bind", "127.0.0.1:0", *options)
    return api, api.wait_for_line(r"Running on (\S+)")[1]


@asynccontextmanager
async def connected(redis: str) -> AsyncGenerator[Client]:
    """A client of our own, in the test's process."""
    async with Redis(redis) as link, Client(RedisStore(link)) as client:
        yield client


async def ends(client: Client, receipts: Sequence[Receipt]) -> list[Job]:
    """The jobs, once all of them have ended."""
    with trio.fail_after(WITHIN):
        return [await client.wait(receipt.id) for receipt in receipts]


def logged(process: Process, event: str) -> list[dict[str, Any]]:
    """Its log lines of that event."""
    lines = (json.loads(line) for line in process.err if line.startswith("{"))
    return [line for line in lines if line["event"] == event]


def runs_as(process: Process, worker: str) -> bool:
    """Whether a worker's name, as jobs know it, is that of this process."""
    return f"-{process.pid}-" in worker
