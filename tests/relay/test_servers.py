"""On real servers: what relays cost those who have none, and those who have; a Cluster."""

import pytest
import trio

from benchmarks.drain import commands_of
from penstock.engine.redis_store import RedisStore
from penstock.engine.relay import Relay, RelaySettings
from penstock.engine.transport import Redis, open_link
from relay.rig import Shelf
from support.cluster import ValkeyCluster
from support.redis_server import ValkeyServer
from support.stores import LEASE, new_job, settlement

JOBS = 100


async def _settling(redis: Redis, queue: str, batch: int) -> int:
    """Commands for all, those inside the script counted, and one look at the counters a batch."""
    store = RedisStore(redis)
    await store.submit(queue, [new_job(str(number)) for number in range(JOBS + 1)])
    await store.join(queue, "w", LEASE)
    used = 0
    for number in range(1 + JOBS // batch):
        count = batch if number else 1  # with the first one the server learns the script
        claim = await store.claim(queue, "w", number + 1, count, suspect=False, idle=False)
        assert claim is not None
        before = await commands_of(redis)
        await store.settle(queue, "w", [settlement(claimed) for claimed in claim.jobs])
        used = used + await commands_of(redis) - before if number else 0
    return used


@pytest.mark.parametrize("batch", [1, 100])
async def test_a_sink_costs_one_command_an_ending_and_none_where_there_is_none(
    valkey: ValkeyServer, batch: int
) -> None:
    """However many sinks there are: who has none pays nothing, not even for the question."""
    async with Redis(valkey.url) as redis:
        without = await _settling(redis, "without", batch)
        outbox = RedisStore(redis).outbox
        for sink in ("one", "two"):
            await outbox.enlist("with", sink, 1000)
        with_relays = await _settling(redis, "with", batch)
    assert without <= JOBS // batch * (8 + 1) + JOBS
    assert with_relays - without == JOBS


async def test_a_relay_works_in_a_cluster(cluster: ValkeyCluster) -> None:
    """Queues on different nodes: every key of a queue is where the queue is, also what is waited on."""
    queues, shelf = ["one", "two", "three", "four"], Shelf()
    link = open_link(cluster.url)
    try:
        store = RedisStore(link)
        relay = Relay(store, queues, [shelf], RelaySettings())
        async with trio.open_nursery() as nursery:
            nursery.start_soon(relay.run)
            with trio.fail_after(30):
                while not relay.ready:  # noqa: ASYNC110 - nobody tells
                    await trio.sleep(0.01)
            for queue in queues:
                await store.submit(queue, [new_job(queue)])
                await store.cancel(queue, queue)
            await shelf.wait_until(lambda shelf: len(shelf.kept) == len(queues), within=30)
            relay.drain()
        backlogs = [await store.outbox.backlog(queue) for queue in queues]
    finally:
        await link.aclose()
    assert sorted(ending.queue for ending in shelf.kept) == sorted(queues)
    assert [(sink.behind, sink.relays) for backlog in backlogs for sink in backlog.sinks] == [(0, 0)] * 4
