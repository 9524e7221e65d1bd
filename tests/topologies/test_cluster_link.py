"""The link to a healthy Cluster, on both event loops."""

import anyio
import pytest

from penstock.engine import keys
from penstock.engine.redis_store import RedisStore
from penstock.engine.store import NewJob
from penstock.engine.transport import Cluster
from support.cluster import ValkeyCluster

BACKENDS = pytest.mark.parametrize("backend", ["trio", "asyncio"])


@BACKENDS
def test_queues_on_all_nodes_are_one_store(backend: str, cluster: ValkeyCluster) -> None:
    """Submit, list, claim and hear of endings and wake-ups, wherever a queue lies."""
    queues = [cluster.queue_on(master) for master in cluster.masters]

    async def main() -> None:
        async with Cluster(cluster.url) as link:
            store = RedisStore(link)
            async with store.listen("worker", queues) as wakes:
                for queue in queues:
                    await store.join(queue, "worker", 10_000)
                    assert await store.claim(queue, "worker", 1, 1, suspect=False, idle=True)
                    await store.submit(queue, [NewJob("one", b"body")])
                with anyio.fail_after(10):
                    assert {(await anext(wakes)).queue for _ in queues} == set(queues)
            assert set(queues) <= set(await store.queues())
            for queue in queues:
                async with store.endings(queue) as endings:
                    assert await store.cancel(queue, "one")
                    with anyio.fail_after(10):
                        assert (await anext(endings)).suffix == "one"
            assert link.connects == 3

    anyio.run(main, backend=backend)


@BACKENDS
def test_many_callers_at_once_get_their_own_answers(backend: str, cluster: ValkeyCluster) -> None:
    """Over one connection a node, whatever the order in which nodes answer."""

    async def main() -> None:
        async with Cluster(cluster.url) as link:

            async def caller(number: int) -> None:
                key = keys.root(f"{backend}{number}")
                for _ in range(5):
                    assert await link.execute("SET", key, number) == b"OK"
                    assert await link.pipeline([("GET", key), ("DEL", key)]) == [b"%d" % number, 1]

            with anyio.fail_after(20):
                async with anyio.create_task_group() as tasks:
                    for number in range(200):
                        tasks.start_soon(caller, number)
            assert link.connects == 3

    anyio.run(main, backend=backend)
