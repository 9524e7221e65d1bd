"""`penstock check`: what it finds, and what it makes of it."""

from penstock.deploy.check import eviction, persistence, version
from support.processes import Start
from support.redis_server import ValkeyServer, valkey_server

APP = "support.application:trial"


def test_all_well(start: Start, valkey: ValkeyServer) -> None:
    """A server as it should be, and an application that loads: a table without complaints, exit code 0."""
    process = start("check", APP, "--redis", valkey.url)

    assert process.wait() == 0, str(process)
    subjects = ["reachable", "version", "scripting", "memory policy", "persistence", "application"]
    for subject, line in zip(subjects, process.out[1:], strict=True):
        assert line.startswith(subject)
        assert " ok " in line
    assert process.out[-1].rstrip().endswith("4 jobs on bulk, default, gated")


def test_something_fails(start: Start) -> None:
    """A server that may evict jobs fails the check: remedy in the table, one line on stderr, exit code 1."""
    with valkey_server("--maxmemory-policy", "allkeys-lru") as careless:
        process = start("check", "--redis", careless.url)
        process.wait()

    assert process.wait() == 1
    assert any("CONFIG SET maxmemory-policy noeviction" in line for line in process.out)
    assert any("persistence" in line and "warning" in line for line in process.out)
    assert process.err == ["penstock: 1 of 5 checks failed: memory policy"]


def test_version() -> None:
    """Valkey is judged by its own number, not by the one it shows to old clients."""
    valkey = {"server_name": "valkey", "redis_version": "7.2.4", "valkey_version": "9.1.2"}

    assert version(valkey).detail == "Valkey 9.1.2"
    assert version(valkey | {"valkey_version": "7.2.5"}).verdict == "failed"
    assert version({"redis_version": "7.0.15"}).verdict == "ok"
    assert version({"redis_version": "6.2.6"}).verdict == "failed"


def test_eviction() -> None:
    """Only `noeviction` keeps jobs."""
    assert eviction({"maxmemory_policy": "noeviction"}).verdict == "ok"
    assert eviction({"maxmemory_policy": "volatile-ttl"}).verdict == "failed"


def test_persistence() -> None:
    """Without an append-only file there is a warning; with one, what it may lose is said."""
    assert persistence({"aof_enabled": "0"}, None).verdict == "warning"
    assert "lose the last seconds" in persistence({"aof_enabled": "1"}, "everysec").detail
    assert "lose" not in persistence({"aof_enabled": "1"}, "always").detail
    assert "not ours to know" in persistence({"aof_enabled": "1"}, None).detail
