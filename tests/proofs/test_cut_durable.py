"""A durable submission whose call is cut off, before it is carried out or after."""

from typing import Any

import pytest

from penstock.engine import scripts
from penstock.engine.redis_store import RedisStore
from penstock.engine.store import Terms
from penstock.engine.transport import Redis
from proofs.cases import QUEUE, assert_each_ended_once, bring_to_an_end
from support.redis_server import ValkeyServer
from support.resp_proxy import When, resp_proxy
from support.stores import QueueUnderTest, RedisHarness, new_job

SUBMIT = scripts.load(scripts.TEST_CLOCK)["submit"]


@pytest.mark.parametrize("call", [1, 2], ids=["unknown script", "known script"])
@pytest.mark.parametrize("when", ["before", "after"])
async def test_it_is_stored_once_and_on_disk(valkey: ValkeyServer, when: When, call: int) -> None:
    """Sent again on a connection of its own, it finds what it stored, and waits for the disk as if new.

    The first sending of all finds that the server does not know the script, and carries out nothing.
    """
    async with Redis(valkey.url) as redis, resp_proxy(valkey.socket_path) as proxy, Redis(proxy.url) as link:
        harness = RedisHarness(redis)
        await harness.advance(0)
        queue = QueueUnderTest(harness, QUEUE)
        proxy.cut(SUBMIT, when, call)
        jobs = [new_job("a"), new_job("b", unique="k"), new_job("c", delay=10)]
        answers = await RedisStore(link, test_clock=True).submit(QUEUE, jobs, Terms(disk=True))
        assert proxy.cuts == 1
        assert [answer.created for answer in answers] == [True] * len(jobs)

        valkey.restart()
        keys: Any = await redis.execute("KEYS", f"penstock:[{{]{QUEUE}}}:job:*")
        assert len(keys) == len(jobs)
        await bring_to_an_end(queue)
        assert set(await assert_each_ended_once(queue, redis)) == {"a", "b", "c"}
