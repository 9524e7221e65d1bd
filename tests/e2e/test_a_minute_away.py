"""The history's database and the bus are away for a minute: jobs go on, and everything arrives afterwards."""

import os
import re
import time
import urllib.request
from collections import Counter
from pathlib import Path

import pytest
import trio
from confluent_kafka import Consumer

from bus.mock_kafka import MockKafka, mock_kafka
from e2e.system import connected
from penstock.engine import Client
from penstock.engine.job_history import HistorySettings, Search, open_history
from penstock.engine.redis_store import RedisStore
from penstock.engine.transport import Redis
from support.application import trial
from support.postgres import postgres_server
from support.processes import Process, Start
from support.redis_server import ValkeyServer

APP = "support.application:trial"
AWAY = 60.0  # seconds
WITHIN = 90.0
"""Seconds in which all arrives once both are back: pauses between tries have grown to ten."""
GROWTH = 32 * 1024 * 1024
"""Bytes that a relay may grow by meanwhile: a batch for each sink, and what Python keeps for itself."""
JOB = trial.jobs["trial.add"]


def resident(process: Process) -> int:
    """Bytes of memory that a process has (proc(5), `statm`)."""
    return int(Path(f"/proc/{process.pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def figures(url: str) -> dict[str, float]:
    """What a process counts, by sink."""
    counted = re.compile(r'^penstock_relay_(\w+)\{sink="(\w+)"[^}]*\} (\S+)', re.MULTILINE)
    with urllib.request.urlopen(f"{url}/metrics", timeout=30) as answer:
        lines = counted.findall(answer.read().decode())
    return {f"{name} {sink}": float(value) for name, sink, value in lines}


async def work(client: Client, seconds: float) -> set[str]:
    """Submit one job after the other, each when the last one has ended; their ids."""
    done, until = set[str](), time.monotonic() + seconds
    while time.monotonic() < until:
        receipt = await client.submit(JOB, left=len(done))
        assert await client.result(receipt, timeout=10) == len(done)
        done.add(receipt.id)
    return done


def heard(kafka: MockKafka, expected: int) -> Counter[str]:
    """How often the bus has an event of each job, once it has one of so many jobs or none comes any more."""
    found, until = Counter[str](), time.monotonic() + WITHIN
    consumer = Consumer(
        {"bootstrap.servers": kafka.servers, "group.id": "test", "auto.offset.reset": "earliest"}
    )
    consumer.subscribe(["penstock.jobs"])
    try:
        while len(found) < expected and time.monotonic() < until:
            for message in consumer.consume(1000, 1.0):
                key = message.key()
                if key is not None:
                    found[key.decode()] += 1
    finally:
        consumer.close()
    return found


async def nothing_left(url: str) -> None:
    """Until no sink is behind."""
    async with Redis(url) as redis:
        outbox = RedisStore(redis).outbox
        with trio.fail_after(WITHIN):
            while any(sink.behind for sink in (await outbox.backlog("default")).sinks):  # noqa: ASYNC110
                await trio.sleep(0.1)  # nobody tells


async def recorded(url: str) -> set[str]:
    """All jobs of the history."""
    ids, cursor = set[str](), None
    async with open_history(HistorySettings(url=url)) as history:
        while True:
            page = await history.search(Search(limit=200, cursor=cursor))
            ids |= {job.id for job in page.jobs}
            if (cursor := page.next) is None:
                return ids


@pytest.mark.slow
async def test_what_is_away_for_a_minute_misses_nothing(start: Start, valkey: ValkeyServer) -> None:
    """No job waits for it; the relay holds no more than a batch, and its metrics say that it is behind."""
    with postgres_server() as postgres, mock_kafka() as kafka:
        kafka.make_topic("penstock.jobs")
        where = ("--redis", valkey.url, "--bus", f"kafka://{kafka.servers}")
        start("migrate", "--history-url", postgres.url()).wait_for_line("tables are of version")
        probes = ("--metrics-bind", "127.0.0.1:0", "--queues", "default")
        relay = start("relay", APP, *where, "--history-url", postgres.url(), "--events", *probes)
        url = relay.wait_for_line(r"Running on (\S+)")[1]
        start("worker", APP, *where).wait_for_line("worker started")
        async with connected(valkey.url) as client:
            done = await work(client, 3.0)
            await nothing_left(valkey.url)
            before, size = figures(url), resident(relay)
            postgres.stop()
            kafka.pause()
            meanwhile = await work(client, AWAY)
            during, grown = figures(url), resident(relay) - size
            kafka.resume()
            postgres.start()
            done |= meanwhile | await work(client, 1.0)
        await nothing_left(valkey.url)
        events = await trio.to_thread.run_sync(heard, kafka, len(done))

        assert await recorded(postgres.url()) == done
    assert events.keys() == done
    assert len(meanwhile) > AWAY  # a job a second is no hot path, but nobody stood still
    for sink in ("history", "bus"):
        assert during[f"errors_total {sink}"] > before.get(f"errors_total {sink}", 0)
        assert during[f"lag_seconds {sink}"] > AWAY / 3
    assert grown < GROWTH
