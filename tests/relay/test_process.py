"""The relay as a process: probes, metrics, its end, its sinks, and what an operator sees and does."""

import json
import urllib.error
import urllib.request
from collections.abc import Callable, Generator
from pathlib import Path

import pytest
import trio

from penstock.engine.redis_store import RedisStore
from penstock.engine.transport import Redis
from support.processes import PENSTOCK, Process
from support.redis_server import ValkeyServer
from support.stores import new_job

APP = "relay.application:module"
Start = Callable[..., Process]


@pytest.fixture
def start(tmp_path: Path, valkey: ValkeyServer) -> Generator[Start]:
    """Start a command of the command line on the test's own server."""
    started: list[Process] = []

    def starter(*words: str) -> Process:
        command = [PENSTOCK, *words, "--redis", valkey.url]
        started.append(Process(command, env={"LEDGER": str(tmp_path / "ledger")}, cwd=tmp_path))
        return started[-1]

    yield starter
    for process in started:
        process.kill()


def get(url: str) -> tuple[int, str]:
    """Status and text."""
    try:
        with urllib.request.urlopen(url, timeout=30) as response:
            return response.status, response.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


async def end(url: str, *suffixes: str, queue: str = "one", body: bytes | None = None) -> None:
    """Jobs of these names end."""
    async with Redis(url) as redis:
        store = RedisStore(redis)
        for suffix in suffixes:
            await store.submit(queue, [new_job(suffix) if body is None else new_job(suffix, body=body)])
            await store.cancel(queue, suffix)


async def behind(url: str, queue: str = "one") -> dict[str, int]:
    """By sink."""
    async with Redis(url) as redis:
        return {sink.sink: sink.behind for sink in (await RedisStore(redis).outbox.backlog(queue)).sinks}


async def nothing_left(url: str) -> None:
    with trio.fail_after(30):
        while any((await behind(url)).values()):  # noqa: ASYNC110 - nobody tells
            await trio.sleep(0.02)


async def test_a_relay_process_serves_probes_and_figures_and_drains(
    start: Start, valkey: ValkeyServer, tmp_path: Path
) -> None:
    """Ready once its sinks are registered; lag, endings and what nobody can read are counted."""
    process = start("relay", APP, "--sink", "relay.application:ledger", "--metrics-bind", "127.0.0.1:0")
    url = process.wait_for_line(r"Running on (\S+)")[1]
    process.wait_for_line("relay started")
    with trio.fail_after(30):
        while get(f"{url}/readyz")[0] != 200:  # noqa: ASYNC110 - nobody tells
            await trio.sleep(0.02)
    assert get(f"{url}/healthz")[0] == 200
    await end(valkey.url, "a", "b")
    await end(valkey.url, "garbled", body=b"\xc1")
    process.wait_for_line("endings set aside, nobody can read them")
    await nothing_left(valkey.url)
    figures = get(f"{url}/metrics")[1]

    assert 'penstock_relay_endings_total{sink="ledger",queue="one"} 2' in figures
    assert 'penstock_events_dropped_total{sink="ledger"} 1' in figures
    assert 'penstock_relay_lag_entries{sink="ledger",queue="one"}' in figures
    assert 'penstock_relay_lag_seconds{sink="ledger",queue="two"} 0' in figures
    assert process.terminate() == 0
    process.wait_for_line("relay stopped")
    lines = [json.loads(line) for line in (tmp_path / "ledger").read_text().splitlines() if line]
    assert [(job, state) for job, _, state, _, _ in lines] == [("one.a", "cancelled"), ("one.b", "cancelled")]


async def test_a_sink_that_must_be_opened_is(start: Start, valkey: ValkeyServer, tmp_path: Path) -> None:
    """It is asked for by name, opened beside the relay, and has what ended meanwhile."""
    process = start("relay", APP, "--sink", "relay.application:opened", "--queues", "one")
    process.wait_for_line("relay started")
    with trio.fail_after(30):
        while await behind(valkey.url) == {}:  # noqa: ASYNC110 - nobody tells
            await trio.sleep(0.02)
    await end(valkey.url, "a")
    await nothing_left(valkey.url)
    assert "one.a" in (tmp_path / "ledger").read_text()
    assert process.terminate() == 0


async def test_an_operator_sees_who_is_behind_and_forgets_who_is_gone(
    start: Start, valkey: ValkeyServer
) -> None:
    """Without a relay running: what waits is listed, and thrown away at a word."""
    start("relays").wait_for_line("no sinks")
    async with Redis(valkey.url) as redis:
        await RedisStore(redis).outbox.enlist("one", "gone", 50)
    await end(valkey.url, "a", "b")
    start("relays").wait_for_line(
        r"one: gone is 2 endings behind \(of 50\), the oldest \d+\.\d s old; relays: 0"
    )
    listed = start("relays", "--json")
    assert listed.wait() == 0
    (row,) = map(json.loads, listed.out)
    assert (row["queue"], row["sink"], row["behind"], row["most"]) == ("one", "gone", 2, 50)
    start("relays", "--forget", "gone").wait_for_line("one: gone unregistered; 2 endings had not reached it")
    start("relays", "--forget", "gone").wait_for_line("no queue knows a sink gone")
    assert await behind(valkey.url) == {}


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ((), "a relay needs a queue and sinks"),
        (("--sink", "relay.application:nothing"), "there is no sink relay.application:nothing"),
        (("--sink", "relay.application:module"), "is no sink"),
    ],
)
def test_what_cannot_work_ends_at_once(start: Start, options: tuple[str, ...], why: str) -> None:
    """Exit code 2, one line."""
    process = start("relay", APP, *options)
    assert process.wait() == 2
    process.wait_for_line(why)
