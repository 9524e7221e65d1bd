"""Measuring asks real processes; small amounts of everything show that the answers mean something."""

import os

import pytest
import trio

from benchmarks.planning import half_load
from benchmarks.planning.costs import OFF, ON
from benchmarks.planning.figures import load
from benchmarks.planning.measuring import api, server, workers
from benchmarks.planning.measuring.instruments import process, share, waited
from benchmarks.planning.measuring.measure import measure_bytes
from benchmarks.planning.measuring.work import QUEUE
from benchmarks.planning.model.cell import Cell
from penstock.engine.redis_store import RedisStore
from penstock.engine.transport import Redis
from support.redis_server import DURABLE, valkey_server

WITHIN = 60.0


async def test_the_server_is_asked_for_every_script(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each costs something, and a large batch more than a small one."""
    monkeypatch.setattr(server, "SIZES", (1, 50))
    monkeypatch.setattr(server, "AT_ONCE", (1, 3))
    monkeypatch.setattr(server, "_JOBS", 500)
    with valkey_server(*DURABLE) as valkey:
        async with Redis(valkey.url) as redis:
            with trio.fail_after(WITHIN):
                found = await server.measure(redis, valkey.url)
    for step in (found.submit, found.claim, found.settle):
        assert 0 < found.cycle + step.of(1) < found.cycle + step.of(50)


async def test_bytes_are_those_of_a_whole_life(monkeypatch: pytest.MonkeyPatch) -> None:
    """A record is received once and written at least twice; it takes memory before its end and after."""
    monkeypatch.setattr("benchmarks.planning.measuring.measure.JOBS", 1000)
    with valkey_server("--appendonly", "yes", "--appendfsync", "no") as valkey:
        async with Redis(valkey.url) as redis:
            with trio.fail_after(WITHIN):
                found = await measure_bytes(redis, valkey.url)
    assert 50 < found.received < found.append_only < 5000
    assert 50 < found.waiting < 5000
    assert 50 < found.ended < 5000


async def test_a_worker_is_watched_while_it_works(monkeypatch: pytest.MonkeyPatch) -> None:
    """It does jobs, and each costs it something, in both variants."""
    monkeypatch.setattr(workers, "CONCURRENCIES", (1, 16))
    monkeypatch.setattr(workers, "FASTEST", 20_000.0)
    with valkey_server(*DURABLE) as valkey:
        async with Redis(valkey.url) as redis:
            with trio.fail_after(WITHIN):
                found = await workers.measure(redis, valkey.url, 0.3)
    assert found.keys() == {OFF, ON}
    assert all(step.of(1) > 0 for step in found.values())


async def test_half_a_load_is_watched_beside_its_prediction() -> None:
    """Waits, and what a job costs the server, both ways; submissions wait for nobody."""
    cell = Cell(rate=0, batch=half_load.BATCH, workers=1)
    with valkey_server(*DURABLE) as valkey:
        async with Redis(valkey.url) as redis:
            with trio.fail_after(WITHIN):
                [found] = await half_load.watch(load().costs, cell, redis, valkey.url, 1, 0.5)
            assert (await RedisStore(redis).facts(QUEUE)).ready == 0
    for median, p99, spent in (found.predicted, found.measured):
        assert 0 <= median <= p99
        assert spent > 0


async def test_a_client_pays_for_calls_and_jobs(monkeypatch: pytest.MonkeyPatch) -> None:
    """As `submit_many` is called."""
    monkeypatch.setattr(api, "SIZES", (1, 100))
    with valkey_server() as valkey:
        async with Redis(valkey.url) as redis:
            found = await api.measure_client(redis)
    assert 0 < found.of(1) < found.of(100)


def test_what_a_process_has_used_only_grows() -> None:
    """By the system's own count; a share of a core is a part of one."""
    pid, before = os.getpid(), waited(os.getpid())
    used = process(pid)
    sum(range(2_000_000))
    assert process(pid) >= used
    assert 0 < share(before, waited(pid)) <= 1
    assert share((0, 0), (0, 0)) == 1.0
    assert share((0, 0), (1, 3)) == 0.25
