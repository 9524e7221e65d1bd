"""What is particular to Redis: keys, expiry, spans, a Cluster."""

import re
import uuid
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import pytest
import trio

from penstock.engine import Seams, keys
from penstock.engine.cache import Cache, CacheSettings, RedisCacheStore
from penstock.engine.cache.store import Place
from penstock.engine.errors import StoreRefused
from penstock.engine.operation import Headers, Operation
from penstock.engine.transport import Cluster, Redis
from penstock.engine.transport.slots import slot_of
from support.cluster import valkey_cluster
from support.redis_server import ValkeyServer, valkey_server

# Patient, for a machine that is swamped.
LONE = CacheSettings(local_entries=0, patience=10)
CALM = CacheSettings(local_ttl=60, patience=10, jitter=0)


def test_an_entry_and_its_lock_share_a_slot() -> None:
    """Scripts may name both; entries of one module are spread over the slots."""
    names = [f"k{number}" for number in range(50)]
    slots = [slot_of(keys.cached("m", name)) for name in names]
    assert slots == [slot_of(keys.cache_lock("m", name)) for name in names]
    assert len(set(slots)) > 40


async def test_every_key_expires(valkey: ValkeyServer) -> None:
    """Entries by their time to live, locks by theirs: nothing of the cache stays."""
    module = f"m{uuid.uuid4().hex}"
    async with Redis(valkey.url) as link:
        cache = Cache(RedisCacheStore(link), CALM).for_module(module)
        await cache.set("written", 1, ttl=60)
        entry = await link.execute("PTTL", keys.cached(module, "written"))
        assert isinstance(entry, int)
        assert 50_000 < entry <= 60_000

        async def load() -> int:
            lock = await link.execute("PTTL", keys.cache_lock(module, "loaded"))
            assert isinstance(lock, int)
            assert 0 < lock <= 3000
            return 1

        await cache.get_or_load("loaded", load, ttl=60, type=int)
        assert await link.execute("EXISTS", keys.cache_lock(module, "loaded")) == 0
        assert await link.execute("PTTL", keys.cached(module, "loaded")) != -1


async def test_processes_load_once(valkey: ValkeyServer) -> None:
    """Eight links, as of eight processes."""
    loads, module = 0, f"m{uuid.uuid4().hex}"

    async def load() -> int:
        nonlocal loads
        loads += 1
        await trio.sleep(0.05)
        return loads

    got: list[int] = []

    async def process() -> None:
        async with Redis(valkey.url) as link:
            cache = Cache(RedisCacheStore(link), CALM).for_module(module)
            got.append(await cache.get_or_load("k", load, ttl=60, type=int))

    with trio.fail_after(20):
        async with trio.open_nursery() as nursery:
            for _ in range(8):
                nursery.start_soon(process)
    assert got == [1] * 8


async def test_reads_and_loads_cost_few_round_trips(valkey: ValkeyServer) -> None:
    """One for a hit, two for a load, none for what the process keeps."""
    async with Redis(valkey.url) as link:
        cache, lone = Cache(RedisCacheStore(link), CALM), Cache(RedisCacheStore(link), LONE)

        async def load() -> int:
            return 1

        await cache.get_or_load(uuid.uuid4().hex, load, ttl=60, type=int)  # the scripts are loaded
        key, before = uuid.uuid4().hex, link.traffic.round_trips
        await cache.get_or_load(key, load, ttl=60, type=int)
        assert link.traffic.round_trips - before == 2
        for one, trips in ((cache, 0), (lone, 1)):
            for read in (one.get(key, type=int), one.get_or_load(key, load, ttl=60, type=int)):
                before = link.traffic.round_trips
                assert await read == 1
                assert link.traffic.round_trips - before == trips


async def test_each_call_is_an_operation(valkey: ValkeyServer) -> None:
    """A client span each; keys and values are in none of them."""
    operations: list[Operation] = []

    @contextmanager
    def around(operation: Operation) -> Generator[Headers]:
        yield {}
        operations.append(operation)

    async with Redis(valkey.url) as link:
        store = RedisCacheStore(link, Seams(around_operation=around))
        cache = Cache(store, LONE).for_module("spans")

        async def load() -> str:
            return "secret-value"

        await cache.get_or_load("secret-key", load, ttl=60, type=str)
        await cache.get("secret-key", type=str)
        await cache.delete_many(["secret-key", "secret-other"])
    assert [operation.name for operation in operations] == [
        "EVALSHA cache_read_or_lock",
        "EVALSHA cache_fill",
        "GET",
        "PIPELINE UNLINK",
    ]
    assert {operation.kind for operation in operations} == {"client"}
    assert operations[3].attributes["db.operation.batch.size"] == 2
    assert "secret" not in repr(operations)


async def test_a_key_of_another_kind_is_an_error_and_fails_nobody(valkey: ValkeyServer) -> None:
    """Somebody else's list under our name."""
    async with Redis(valkey.url) as link:
        store = RedisCacheStore(link)
        await link.execute("RPUSH", keys.cached("", "list"), "x")

        async def load() -> int:
            return 3

        cache = Cache(store, LONE)
        assert await cache.get("list", type=int) is None
        assert await cache.get_or_load("list", load, ttl=60, type=int) == 3
        with pytest.raises(StoreRefused, match="WRONGTYPE"):
            await store._link.execute("GET", keys.cached("", "list"))
        await link.execute("DEL", keys.cached("", "list"))


async def test_the_documented_permissions_are_enough_and_needed() -> None:
    """The user that docs/cache.md describes can do all of it; without one of the commands something fails."""
    page = (Path(__file__).parents[2] / "docs" / "cache.md").read_text()
    commands = re.findall(r"\+[a-z]+", page[page.index("~penstock:cache:*") :])
    assert len(commands) == 7

    async def load() -> int:
        return 1

    with valkey_server() as server:
        async with Redis(server.url) as admin, Redis(f"unix://app:pw@{server.socket_path}") as link:
            for missing in (None, *commands):
                given = [command for command in commands if command != missing]
                rules = ("reset", "on", ">pw", "~penstock:cache:*", *given)
                await admin.execute("ACL", "SETUSER", "app", *rules)
                await admin.execute("FLUSHALL")
                await admin.execute("SCRIPT", "FLUSH")
                store, place, here = (
                    RedisCacheStore(link),
                    Place("m", "k"),
                    Cache(RedisCacheStore(link), LONE),
                )
                worked = [await here.set("k", 1, ttl=60), await here.get("k", type=int) == 1]
                worked.append(await here.delete("k"))
                refusals = 0
                try:
                    assert await here.get_or_load("k", load, ttl=60, type=int) == 1
                    await store.read_or_lock(place, "a", 3)
                    assert await store.renew(place, "a", 3)
                    await store.unlock(place, "a")
                except StoreRefused:
                    refusals += 1
                assert (all(worked) and not refusals) == (missing is None), missing


async def test_it_works_on_a_cluster() -> None:
    """Entries of one module lie on all nodes, and are deleted together."""
    with valkey_cluster(3) as masters:
        async with Cluster(masters.url) as link:
            cache = Cache(RedisCacheStore(link), LONE).for_module("cluster")

            async def load() -> int:
                return 1

            names = [f"k{number}" for number in range(60)]
            for name in names:
                assert await cache.get_or_load(name, load, ttl=60, type=int) == 1
            assert [await cache.get(name, type=int) for name in names] == [1] * 60
            assert await cache.delete_many(names)
            assert [await cache.get(name, type=int) for name in names] == [None] * 60
