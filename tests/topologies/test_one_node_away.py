"""One node of a Cluster is away, or one slot on its way: the worker's other queue does not wait for it."""

import pytest
import trio

from penstock.engine import keys
from penstock.engine.events import JobStarted, StoreDown
from support.cluster import ValkeyCluster, valkey_cluster
from topologies.load import Load, under_load
from topologies.migration import Migration

ROUNDS = 20
WITHIN = 30.0
"""Seconds for all rounds: were each held up by a single call in vain, which takes 3 s, they would take 60."""


async def one_after_the_other(load: Load, queue: str) -> None:
    """Submit a job, wait for its end, submit the next: an idle worker has to hear of each."""
    with trio.fail_after(WITHIN):
        for _ in range(ROUNDS):
            [receipt] = await load.submit(queue, 1)
            job = await load.client.wait(receipt.id, timeout=WITHIN)
            assert job.state.final


async def given_up(load: Load, loop: str) -> None:
    """Wait until a loop has said that it cannot reach its server."""
    await load.rig.ears.wait_for(StoreDown, where=lambda event: event.loop == loop)


async def all_end(load: Load, *queues: str) -> None:
    """Everything that was acknowledged, once, and new work too."""
    for queue in queues:
        await load.submit_in_the_end(queue, 20)
        await load.all_succeed(load.receipts[queue])
        await load.idle(queue)


async def test_a_slot_on_its_way_does_not_hold_up_another_queue(cluster: ValkeyCluster) -> None:
    """While one queue's scripts are answered with ASK, the same worker runs the other's jobs as ever."""
    moving, other = (cluster.queue_on(master) for master in cluster.masters[:2])
    migration = Migration(cluster, moving, cluster.masters[2])
    async with under_load(cluster.url, [moving, other]) as load:
        await load.submit(moving, 60, seconds=0.1)  # some end, some run, some wait
        await load.rig.ears.wait_for(JobStarted, count=20)
        await trio.to_thread.run_sync(migration.begin)
        await one_after_the_other(load, other)
        await given_up(load, "fetcher")
        await one_after_the_other(load, other)
        await trio.to_thread.run_sync(migration.finish)
        await all_end(load, moving, other)


@pytest.mark.slow
async def test_a_stopped_node_does_not_hold_up_a_queue_on_another() -> None:
    """Calls to it find no end, wake-ups are not heard: the other queue's jobs run all the same."""
    with valkey_cluster(3, config=("--cluster-require-full-coverage", "no")) as cluster:
        listing = cluster.owner(keys.QUEUES)
        stopped, sound = (master for master in cluster.masters if master is not listing)
        away, other = cluster.queue_on(stopped), cluster.queue_on(sound)
        async with under_load(f"{cluster.url}?socket_timeout=0.5", [away, other]) as load:
            await load.submit(away, 60, seconds=0.1)
            await load.submit(other, 1)
            await load.rig.ears.wait_for(JobStarted, count=20)
            stopped.pause()
            await one_after_the_other(load, other)
            await given_up(load, "listener")
            await one_after_the_other(load, other)
            stopped.resume()
            await all_end(load, away, other)
