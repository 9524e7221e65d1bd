"""Servers that are not as they should be: `check` says so, and so does the start, in one line that helps."""

import time
import urllib.error
import urllib.request
from collections.abc import Generator

import msgspec
import pytest
import trio

from deploy.old_server import scripted_server
from e2e.system import connected, ends, logged
from penstock.deploy.permissions import needed_commands
from penstock.engine import JobState
from penstock.engine.transport import Redis
from support.application import add
from support.processes import Process, Start
from support.redis_server import ValkeyServer, valkey_server

APP = "support.application:trial"
OLD = "# Server\r\nredis_version:6.2.6\r\nmaxmemory_policy:noeviction\r\naof_enabled:1\r\n"
NEW = OLD.replace("6.2.6", "7.4.0")
NOT_AS_IT_SHOULD_BE = "the store is not as it should be"


def findings(process: Process) -> dict[str, str]:
    """What the start of a process has found, by check."""
    return {line["check"]: line["found"] for line in logged(process, NOT_AS_IT_SHOULD_BE)}


def readiness(listens: str) -> int:
    """What `/readyz` says."""
    try:
        with urllib.request.urlopen(f"{listens}/readyz", timeout=10) as response:
            return int(response.status)
    except urllib.error.HTTPError as error:
        with error:
            return error.code


def start_one(start: Start, command: str, redis: str, *options: str) -> Process:
    bind = ("--bind", "127.0.0.1:0") if command == "api" else ()
    return start(command, APP, "--redis", redis, *bind, *options)


@pytest.fixture
def careless() -> Generator[ValkeyServer]:
    """A server that may evict jobs and keeps nothing on disk."""
    with valkey_server("--maxmemory-policy", "allkeys-lru", tcp=True) as server:
        yield server


def test_check_of_an_old_server(start: Start) -> None:
    """`check` fails, naming the version it found and the one that is needed."""
    with scripted_server(OLD) as url:
        process = start("check", "--redis", url)
        assert process.wait() == 1

    assert any("Redis 6.2.6: Penstock needs Redis 7 or Valkey 8 at least" in line for line in process.out)
    [line] = process.err
    assert line.startswith("penstock: ")
    assert "version" in line


@pytest.mark.parametrize(
    ("command", "options"), [("api", ()), ("worker", ()), ("worker", ("--processes", "2"))]
)
def test_start_with_an_old_server(start: Start, command: str, options: tuple[str, ...]) -> None:
    """Nothing could work, so nothing is tried for long: one line, exit code 1."""
    with scripted_server(OLD) as url:
        process = start_one(start, command, url, *options)
        assert process.wait() == 1, str(process)

    [line] = [line for line in process.err if line.startswith("penstock: ")]
    assert line == "penstock: Redis 6.2.6: Penstock needs Redis 7 or Valkey 8 at least"


def test_start_with_clocks_that_disagree(start: Start) -> None:
    """The start tells by how much, and goes on."""
    now = time.time()
    with scripted_server(NEW, (int(now) + 100, 0)) as url:
        process = start_one(start, "api", url)
        process.wait_for_line(NOT_AS_IT_SHOULD_BE)
        assert process.terminate() == 0

    [(subject, found)] = findings(process).items()
    assert subject == "clocks"
    apart = float(found.split(" s apart")[0].rpartition(" ")[2])
    assert 60 < apart <= 100


@pytest.mark.parametrize(
    ("command", "options"), [("api", ()), ("worker", ()), ("worker", ("--processes", "2"))]
)
def test_start_with_a_server_that_evicts(
    start: Start, careless: ValkeyServer, command: str, options: tuple[str, ...]
) -> None:
    """Told once, however many processes and connections; the process works all the same."""
    process = start_one(start, command, careless.tcp_url, *options)
    process.wait_for_line('"check":"memory policy"')
    process.wait_for_line('"check":"persistence"')
    process.wait_for_line("Running on" if command == "api" else "worker started")
    assert process.terminate() == 0, str(process)

    found = logged(process, NOT_AS_IT_SHOULD_BE)
    assert [line["check"] for line in found] == ["memory policy", "persistence"]
    assert {line["level"] for line in found} == {"warning"}
    assert "allkeys-lru may delete jobs: CONFIG SET maxmemory-policy noeviction" in found[0]["found"]


def test_it_is_told_after_the_first_connection(start: Start, careless: ValkeyServer) -> None:
    """Redis away at the start delays the warning, not the start."""
    careless.kill()
    process = start_one(start, "api", careless.url)
    process.wait_for_line("Running on")
    process.wait_for_line("store unreachable, trying again")
    assert findings(process) == {}

    careless.start()

    process.wait_for_line('"check":"memory policy"')
    assert process.terminate() == 0


def test_a_good_server_is_not_talked_about(start: Start, valkey: ValkeyServer) -> None:
    """Nothing to say is nothing said."""
    process = start_one(start, "worker", valkey.url)
    process.wait_for_line("worker started")
    api = start_one(start, "api", valkey.url)
    api.wait_for_line("Running on")

    assert [process.terminate(), api.terminate()] == [0, 0]
    assert findings(process) == findings(api) == {}


# --- not what its address says ------------------------------------------------------------


@pytest.mark.parametrize(
    ("scheme", "path", "message"),
    [
        ("redis+cluster", "", "does not answer as a node of a Cluster does"),
        ("redis+sentinel", "/main", "does not answer as a Sentinel does"),
    ],
)
def test_no_cluster_and_no_sentinel(
    start: Start, valkey: ValkeyServer, scheme: str, path: str, message: str
) -> None:
    """`check` and `submit` say so in one line; an API says it once in its log and is not ready."""
    url = f"{valkey.tcp_url.replace('redis', scheme)}{path}"
    for command in ("check", f"submit trial.add left=1 --app {APP}"):
        process = start(*command.split(" "), "--redis", url)
        assert process.wait() == 1
        [line] = process.err
        assert line.startswith("penstock: ")
        assert message in line
        assert "redis://" in line  # the remedy

    api = start_one(start, "api", url)
    api.wait_for_line("the store refuses us")
    assert readiness(api.wait_for_line(r"Running on (\S+)")[1]) == 503
    assert api.terminate() == 0
    [told] = logged(api, "the store refuses us")
    assert message in told["error"]


def test_wrong_password(start: Start) -> None:
    """`check` names the login; an API says it once and is not ready."""
    with valkey_server("--requirepass", "sesame", tcp=True) as server:
        url = server.tcp_url.replace("redis://", "redis://:wrong@")
        process = start("check", "--redis", url)
        assert process.wait() == 1
        [line] = process.err
        assert "Mend user, password or database number in the Redis URL." in line
        assert "wrong" not in line.partition("WRONGPASS")[0]

        api = start_one(start, "api", url)
        api.wait_for_line("the store refuses us")
        assert readiness(api.wait_for_line(r"Running on (\S+)")[1]) == 503
        assert api.terminate() == 0


# --- the ACL ------------------------------------------------------------------------------


async def allow(server: ValkeyServer, *rules: str) -> str:
    """The URL of a user that may do what `rules` say."""
    async with Redis(server.tcp_url) as redis:
        await redis.execute("ACL", "SETUSER", "shop", "reset", "on", ">sesame", *rules)
    return server.tcp_url.replace("redis://", "redis://shop:sesame@")


async def test_check_names_the_command(start: Start, valkey: ValkeyServer) -> None:
    """A user that lacks two commands: both are named, with what to tell the server."""
    url = await allow(valkey, "~*", "&*", "+@all", "-hset", "-ssubscribe")
    process = start("check", APP, "--redis", url)

    assert await trio.to_thread.run_sync(process.wait) == 1
    table = "\n".join(process.out)
    assert "this user may not run HSET, SSUBSCRIBE" in " ".join(table.split())
    assert "+hset +ssubscribe" in " ".join(table.split())
    assert process.err == ["penstock: 1 of 11 checks failed: permissions"]


async def test_check_without_scripting(start: Start, valkey: ValkeyServer) -> None:
    """Without EVAL nothing works: that is what is said."""
    url = await allow(valkey, "~*", "&*", "+@all", "-@scripting")
    process = start("check", "--redis", url)

    assert await trio.to_thread.run_sync(process.wait) == 1
    assert any("'eval'" in line and "scripting" in line for line in process.out), str(process)


@pytest.mark.parametrize("command", ["api", "worker"])
async def test_a_command_is_taken_away_and_given_back(
    start: Start, valkey: ValkeyServer, command: str
) -> None:
    """One line names it, and the process is not ready; once it is allowed again, that is told too."""
    url = await allow(valkey, "~penstock:*", "&penstock:*", "+@all", "-hset")
    probes = () if command == "api" else ("--metrics-bind", "127.0.0.1:0")
    process = start_one(start, command, url, *probes)
    listens = process.wait_for_line(r"Running on (\S+)")[1]
    process.wait_for_line("the store refuses commands that are needed")
    [told] = logged(process, "the store refuses commands that are needed")
    assert told["commands"] == ["HSET"]
    assert told["level"] == "error"
    assert told["remedy"].endswith("+hset")
    assert await trio.to_thread.run_sync(readiness, listens) == 503

    await allow(valkey, "~penstock:*", "&penstock:*", "+@all")

    process.wait_for_line("the store allows every command again")
    if command == "worker":
        process.wait_for_line("worker started")
    assert await trio.to_thread.run_sync(readiness, listens) == 200
    assert process.terminate() == 0


async def test_what_is_said_to_be_needed_is_enough(start: Start, valkey: ValkeyServer) -> None:
    """A user with exactly those commands, and our keys and channels alone, submits and works jobs."""
    needed = [f"+{name.lower()}" for name in needed_commands("default")]
    url = await allow(valkey, "~penstock:*", "&penstock:*", *needed)
    worker = start_one(start, "worker", url, "--lease", "1")
    worker.wait_for_line("worker started")
    async with connected(url) as client:
        delayed = msgspec.structs.replace(add.request(left=2), delay=0.1)
        receipts = await client.submit_many([add.request(left=1), delayed])
        jobs = await ends(client, receipts)
        facts = await client.store.facts("default")

    assert [job.state for job in jobs] == [JobState.SUCCEEDED] * 2
    assert facts.running == 0
    assert worker.terminate() == 0
    assert logged(worker, "worker loop crashed, starting it again") == []
    assert logged(worker, "the store refuses commands that are needed") == []
