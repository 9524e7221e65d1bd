"""Schedules in real processes: workers that die by SIGKILL as they fire, and the command line."""

import json
import os
import signal
import time
from datetime import UTC, datetime

import pytest
import trio

from penstock.engine.periodic_schedule import suffix_of
from penstock.engine.record import decode_body
from penstock.engine.redis_store import RedisStore
from penstock.engine.transport import Redis
from support.processes import Start
from support.redis_server import ValkeyServer

APP = "periodic.application:clockwork"
TICK = "clockwork.tick"
WITHIN = 60.0


async def fired_since(store: RedisStore, moment: int) -> tuple[int, str]:
    """The next moment that is fired after `moment`, and which worker did it."""
    with trio.fail_after(WITHIN):
        while True:
            standing = (await store.schedules.attend("default")).standings.get(TICK)
            if standing is not None and standing.by and standing.last > moment:
                return standing.last, standing.by
            await trio.sleep(0.005)  # nobody tells


@pytest.mark.slow
async def test_workers_killed_as_they_fire_leave_one_job_a_moment(start: Start, valkey: ValkeyServer) -> None:
    """Each that fires is killed at once: what it did stands, nothing is done twice, and another goes on."""
    options = ("worker", APP, "--redis", valkey.url, "--lease", "1", "--concurrency", "2")
    for _ in range(3):
        start(*options)
    moments = list[int]()
    async with Redis(valkey.url) as redis:
        store = RedisStore(redis)
        for _ in range(5):
            moment, by = await fired_since(store, moments[-1] if moments else 0)
            moments.append(moment)
            os.kill(int(by.split("-")[-3]), signal.SIGKILL)
            start(*options)
        last, _ = await fired_since(store, moments[-1])
        names = await redis.execute("KEYS", "penstock:[{]default}:job:*")
        assert isinstance(names, list)
        suffixes = [name.decode().rpartition(":")[2] for name in names if isinstance(name, bytes)]
        records = [await store.read("default", suffix) for suffix in suffixes]
    bodies = [decode_body(record.body) for record in records if record is not None]
    stored = sorted(int(body.headers["penstock-moment"]) for body in bodies)
    assert len(stored) == len(set(stored)) >= 6
    assert {*moments, last} <= set(stored)
    assert set(suffixes) == {suffix_of(TICK, moment) for moment in stored}


@pytest.mark.slow
async def test_from_a_worker_to_the_list(start: Start, valkey: ValkeyServer) -> None:
    """What a worker fires is listed, held, let go and fired by the command line."""
    worker = start("worker", APP, "--redis", valkey.url, "--log-level", "debug")
    api = start("api", APP, "--redis", valkey.url, "--bind", "127.0.0.1:0")
    url = api.wait_for_line(r"Running on (\S+)")[1]
    line = json.loads(worker.wait_for_line('"schedule fired"').string)
    assert (line["schedule"], line["job"], line["level"]) == (TICK, TICK, "debug")
    worker.wait_for_line(rf'"job finished".*{line["job_id"]}')

    process = start("schedules", "--json", "--api", url)
    assert process.wait() == 0, str(process)
    nightly, tick = map(json.loads, process.out)
    assert (nightly["status"], nightly["when"], nightly["last"]) == ("active", "0 3 * * *", None)
    assert datetime.fromisoformat(nightly["next"]).timestamp() > time.time()
    assert (tick["last_state"] in ("ready", "running", "succeeded"), tick["queue"]) == (True, "default")
    text = start("schedules", "--api", url)
    assert text.wait() == 0
    assert all(
        any(word in line for line in text.out) for word in ("clockwork.nightly", "Europe/Berlin", "every 1 s")
    )

    start("schedules", "pause", TICK, "--api", url).wait_for_line("clockwork.tick paused")
    async with Redis(valkey.url) as redis:
        store = RedisStore(redis)
        assert (await store.schedules.attend("default")).standings[TICK].paused
        fired = start("schedules", "fire", TICK, "--api", url)
        job_id = fired.wait_for_line(r"clockwork.tick fired: job (\S+)")[1]
        worker.wait_for_line(rf'"job finished".*{job_id}')
        start("schedules", "resume", TICK, "--api", url).wait_for_line("clockwork.tick resumed")
        now = round(datetime.now(UTC).timestamp() * 1000)
        assert (await fired_since(store, now))[0] > now


def test_what_is_not_known_or_not_said_is_told_in_one_line(start: Start, valkey: ValkeyServer) -> None:
    """Exit code 2: it cannot work as it was called."""
    api = start("api", APP, "--redis", valkey.url, "--bind", "127.0.0.1:0")
    url = api.wait_for_line(r"Running on (\S+)")[1]
    for words, reason in (
        (("pause", "no.such"), "no worker has ever declared a schedule 'no.such'"),
        (("fire", "no.such"), "no schedule 'no.such' is declared"),
        (("pause",), "pause which schedule"),
        (("stop", TICK), "'stop' is not one of"),
    ):
        process = start("schedules", *words, "--api", url)
        process.wait_for_line(reason)
        assert process.wait() == 2
        assert len(process.err) == 1


def test_dev_says_what_comes_by_itself(start: Start) -> None:
    """And when it does next."""
    dev = start("dev", APP, "--bind", "127.0.0.1:0")
    dev.wait_for_line(r"clockwork\.nightly comes by itself, next \d{4}-\d\d-\d\d \d\d:\d\d:\d\d")
    dev.send(signal.SIGINT)
    assert dev.wait() == 0
