"""Slots that move under load: docs/adr/0005 says why a client of Penstock waits instead of following ASK."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import pytest
import trio
from redis.exceptions import AskError, MovedError

from penstock.engine import keys
from penstock.engine.errors import StoreRefused, StoreUnavailable
from penstock.engine.redis_store import RedisStore
from penstock.engine.transport import Address, Cluster, Connection, connect
from support.cluster import ValkeyCluster, call
from support.redis_server import ValkeyServer
from topologies.load import under_load
from topologies.migration import Migration


async def test_a_queue_moves_key_by_key_while_it_is_worked_on(cluster: ValkeyCluster) -> None:
    """Its jobs pause from the first key to the last, then go on: none is lost, none ends twice."""
    queue, other = (cluster.queue_on(master) for master in cluster.masters[:2])
    migration = Migration(cluster, queue, cluster.masters[2])
    async with (
        under_load(cluster.url, [queue]) as load,
        under_load(cluster.url, [other]) as bystander,
    ):
        async with trio.open_nursery() as submitters:
            submitters.start_soon(load.keep_submitting, queue)
            submitters.start_soon(bystander.keep_submitting, other)
            await load.acknowledged(queue, 100)
            await load.submit(queue, 100, seconds=0.05)  # some end, some run, some wait

            await trio.to_thread.run_sync(migration.begin)
            there = await trio.to_thread.run_sync(migration.left)
            await trio.to_thread.run_sync(migration.move, there[::2])
            paused = len(load.receipts[queue])
            await bystander.acknowledged(other, 50)
            assert len(load.receipts[queue]) <= paused + 5  # one answer may have been on its way
            await trio.to_thread.run_sync(migration.finish)

            await load.acknowledged(queue, 50)
            submitters.cancel_scope.cancel()
        await load.all_succeed(load.receipts[queue])
        await load.idle(queue)
        await bystander.all_succeed(bystander.receipts[other])
        assert cluster.owner(keys.root(queue)) is migration.target


async def test_a_queue_moves_in_one_step_while_it_is_worked_on(cluster: ValkeyCluster) -> None:
    """Where the servers move a slot by themselves (Valkey 9), nobody but the transport notices."""
    queue = cluster.queue_on(cluster.masters[0])
    migration = Migration(cluster, queue, cluster.masters[2])
    if not migration.can_be_at_once():
        pytest.skip("this server moves slots key by key only")
    async with under_load(cluster.url, [queue]) as load:
        async with trio.open_nursery() as submitters:
            submitters.start_soon(load.keep_submitting, queue)
            await load.acknowledged(queue, 100)
            await load.submit(queue, 100, seconds=0.05)
            await trio.to_thread.run_sync(migration.at_once)
            await load.acknowledged(queue, 50)
            submitters.cancel_scope.cancel()
        await load.all_succeed(load.receipts[queue])
        await load.idle(queue)
        assert load.refused == 0


async def test_a_migrating_slot_is_a_barrier_to_every_script(cluster: ValkeyCluster) -> None:
    """What ADR 5 stands on: KEYS[1] never exists, so the source sends every script away from the first."""
    queue = cluster.queue_on(cluster.masters[0])
    migration = Migration(cluster, queue, cluster.masters[2])
    async with Cluster(cluster.url) as link, under_load(cluster.url, [queue]) as load:
        [receipt] = await load.submit(queue, 1, seconds=0)
        await load.all_succeed([receipt])
        there = migration.left()
        migration.begin()
        for moved in (there[: len(there) // 2], there):
            migration.move([key for key in moved if key in migration.left()])
            for script in RedisStore(link)._scripts.values():
                with pytest.raises(AskError):
                    call(migration.source, "EVAL", script.source, 1, keys.root(queue))
                with pytest.raises(MovedError):
                    call(migration.target, "EVAL", script.source, 1, keys.root(queue))
        migration.finish()


async def test_following_ask_would_run_a_script_on_half_of_a_queue(cluster: ValkeyCluster) -> None:
    """Why the barrier must stand: at the target it misses the keys that have not come, or breaks off."""
    queue = cluster.queue_on(cluster.masters[0])
    here, there, new = (keys.job(queue, name) for name in ("here", "there", "new"))
    migration = Migration(cluster, queue, cluster.masters[2])
    async with Cluster(cluster.url) as link, _connected(migration.target) as follower:
        await link.pipeline([("SET", here, "1"), ("SET", there, "1")])
        migration.begin()
        migration.move([there.encode()])

        await follower.execute("ASKING")
        blind = f"return redis.call('EXISTS', '{here}')"
        assert await follower.execute("EVAL", blind, 1, keys.root(queue)) == 0  # but it exists
        await follower.execute("ASKING")
        broken = f"redis.call('SET', '{new}', 1) return redis.call('MGET', '{here}', '{there}')"
        with pytest.raises(StoreRefused, match="non local key"):
            await follower.execute("EVAL", broken, 1, keys.root(queue))
        await follower.execute("ASKING")
        assert await follower.execute("GET", new) == b"1"  # written by a script that failed
        migration.finish()


async def test_plain_commands_wait_for_the_end_of_a_migration_too(cluster: ValkeyCluster) -> None:
    """A key that is still at the source is served there; one that is not, or half of several, is not yet."""
    queue = cluster.queue_on(cluster.masters[0])
    here, there = (keys.job(queue, name) for name in ("here", "there"))
    migration = Migration(cluster, queue, cluster.masters[2])
    async with Cluster(cluster.url) as link:
        await link.pipeline([("SET", here, "1"), ("SET", there, "1")])
        migration.begin()
        migration.move([there.encode()])
        assert await link.execute("GET", here, retry_for=0) == b"1"
        with pytest.raises(StoreUnavailable, match="ASK"):
            await link.execute("GET", there, retry_for=0)
        with pytest.raises(StoreUnavailable, match="TRYAGAIN"):
            await link.execute("MGET", here, there, retry_for=0)
        before = link.connects

        async with trio.open_nursery() as nursery:
            nursery.start_soon(trio.to_thread.run_sync, migration.finish)
            assert await link.execute("MGET", here, there, retry_for=20) == [b"1", b"1"]
        assert link.connects <= before + 1  # waiting cost no connection; the new owner got one


@asynccontextmanager
async def _connected(node: ValkeyServer) -> AsyncGenerator[Connection]:
    connection = await connect(Address(host="127.0.0.1", port=node.port))
    try:
        yield connection
    finally:
        await connection.aclose()
