"""A Cluster under load whose masters die."""

import pytest
import trio

from penstock.engine import keys
from penstock.engine.errors import StoreUnavailable
from support.cluster import call, happens, role, valkey_cluster
from support.redis_server import DURABLE
from topologies.load import under_load


async def test_a_master_is_killed_and_its_replica_takes_over() -> None:
    """What was replicated ends exactly once, nobody else loses anything, and work goes on everywhere."""
    with valkey_cluster(3, replicas=1) as cluster:
        victim = cluster.masters[0]
        heir = cluster.replica(victim)
        struck, *spared = queues = [cluster.queue_on(master) for master in cluster.masters]
        async with under_load(cluster.url, queues) as load:
            async with trio.open_nursery() as submitters:
                for queue in queues:
                    submitters.start_soon(load.keep_submitting, queue)
                    await load.acknowledged(queue, 50)
                safe = await load.submit(struck, 60, seconds=0.1)  # some end, some run, some wait
                await load.replicated(struck)
                victim.kill()
                await happens(lambda: role(heir) == "master", "the replica to be promoted")
                for queue in queues:
                    await load.acknowledged(queue, 50)
                submitters.cancel_scope.cancel()
            for queue in spared:
                await load.all_succeed(load.receipts[queue])
            await load.all_succeed(safe)
            for queue in queues:
                await load.all_succeed(await load.submit(queue, 20))
                await load.idle(queue)
            assert cluster.owner(keys.root(struck)) is heir


@pytest.mark.slow
async def test_a_master_is_replaced_in_order() -> None:
    """CLUSTER FAILOVER loses nothing at all, and nobody stays with the old master, listeners included."""
    with valkey_cluster(3, replicas=1) as cluster:
        old = cluster.masters[0]
        heir = cluster.replica(old)
        queue = cluster.queue_on(old)
        async with under_load(cluster.url, [queue]) as load:
            async with trio.open_nursery() as submitters:
                submitters.start_soon(load.keep_submitting, queue)
                await load.acknowledged(queue, 50)
                await load.submit(queue, 60, seconds=0.1)
                call(heir, "CLUSTER", "FAILOVER")
                await happens(lambda: role(old) == "slave", "the old master to follow")
                await load.acknowledged(queue, 50)
                submitters.cancel_scope.cancel()
            await load.all_succeed(load.receipts[queue])
            await load.idle(queue)
            await happens(lambda: len(call(heir, "PUBSUB", "SHARDCHANNELS")) == 1, "the listener to follow")
            assert call(old, "PUBSUB", "SHARDCHANNELS") == []


@pytest.mark.slow
async def test_a_master_that_stalls_is_left_and_comes_back_as_a_replica() -> None:
    """Its connections say nothing; calls time out, find the new master, and do not go back to the old one."""
    with valkey_cluster(3, replicas=1) as cluster:
        stalled = cluster.masters[0]
        heir = cluster.replica(stalled)
        queue = cluster.queue_on(stalled)
        async with under_load(f"{cluster.url}?socket_timeout=0.5", [queue]) as load:
            async with trio.open_nursery() as submitters:
                submitters.start_soon(load.keep_submitting, queue)
                await load.acknowledged(queue, 50)
                safe = await load.submit(queue, 60, seconds=0.1)
                await load.replicated(queue)
                stalled.pause()
                await happens(lambda: role(heir) == "master", "the replica to be promoted")
                await load.acknowledged(queue, 50)
                stalled.resume()
                await happens(lambda: role(stalled) == "slave", "the old master to follow")
                await load.acknowledged(queue, 50)
                submitters.cancel_scope.cancel()
            await load.all_succeed(safe)
            await load.all_succeed(await load.submit(queue, 20))
            await load.idle(queue)


@pytest.mark.slow
async def test_a_cluster_that_is_down_is_waited_for() -> None:
    """Without a replica a dead master takes all nodes down; when it is back, everything is there."""
    with valkey_cluster(3, config=DURABLE) as cluster:
        dead, sound = (cluster.queue_on(master) for master in cluster.masters[:2])
        async with under_load(cluster.url, [dead, sound]) as load:
            for queue in (dead, sound):
                await load.submit(queue, 50, seconds=0.05)
            cluster.masters[0].kill()
            await happens(lambda: not cluster.serves(cluster.masters[1]), "the others to notice")
            with pytest.raises(StoreUnavailable, match="CLUSTERDOWN"):
                await load.link.execute("SET", keys.root(sound) + "probe", 1, retry_for=0.3)
            await trio.to_thread.run_sync(cluster.masters[0].start)
            for queue in (dead, sound):
                await load.submit_in_the_end(queue, 20)
                await load.all_succeed(load.receipts[queue])
                await load.idle(queue)
