"""`penstock check`: what it finds, and what it makes of it."""

from penstock.deploy.examination import examine
from penstock.deploy.findings import clocks, eviction, persistence, version
from penstock.engine.transport import open_link
from support.cluster import call, valkey_cluster
from support.processes import Start
from support.redis_server import ValkeyServer, valkey_server

APP = "support.application:trial"


def test_all_well(start: Start, valkey: ValkeyServer) -> None:
    """A server as it should be, and an application that loads: a table without complaints, exit code 0."""
    process = start("check", APP, "--redis", valkey.url)

    assert process.wait() == 0, str(process)
    subjects = [
        *("reachable", "version", "scripting", "permissions", "memory policy", "persistence", "clocks"),
        *("relays", "event bus", "cache", "application"),
    ]
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
    assert process.err == ["penstock: 1 of 10 checks failed: memory policy"]


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


def test_clocks() -> None:
    """A second apart is told, both times named; the way of the question is not held against them."""
    noon = 1_800_000_000.0

    assert clocks(noon + 0.9, noon, noon).verdict == "ok"
    assert clocks(noon + 4.9, noon, noon + 4.0).verdict == "ok"  # read at the end of a slow answer
    ahead = clocks(noon + 5.25, noon, noon + 0.5)
    assert ahead.verdict == "warning"
    assert (
        "the server says 2027-01-15 08:00:05.2Z, this machine 2027-01-15 08:00:00.2Z, 5.0 s" in ahead.detail
    )
    assert clocks(noon - 1.1, noon, noon).verdict == "warning"


def test_what_a_narrow_user_cannot_see_is_a_warning() -> None:
    """Without INFO nothing is known, which is neither well nor wrong."""
    assert [row.verdict for row in (version({}), eviction({}), persistence({}, None))] == ["warning"] * 3


async def test_cluster() -> None:
    """In a Cluster the nodes that hold the queues are asked; a bad one is named by its queue."""
    with valkey_cluster(2) as cluster:
        good, bad = (cluster.queue_on(master) for master in cluster.masters)
        call(cluster.masters[1], "CONFIG", "SET", "maxmemory-policy", "allkeys-lru")
        link = open_link(cluster.url)
        try:
            one = {row.subject: row for row in await examine(link, [good])}
            rows = await examine(link, [good, bad])
        finally:
            await link.aclose()

    assert one["memory policy"].verdict == "ok"
    [row] = [row for row in rows if row.verdict == "failed"]
    assert row.subject == "memory policy"
    assert row.detail.startswith(f"where queue {bad} is: allkeys-lru may delete jobs")
