"""A master behind Sentinels that dies, or goes on after it was replaced."""

import pytest
import trio

from support.cluster import call, happens, role
from support.sentinel import MASTER, sentinel_set
from topologies.load import under_load


async def test_the_master_is_killed_and_a_replica_takes_over() -> None:
    """Worker, submitters and whoever waits go on with the new master; what was replicated ends once."""
    with sentinel_set() as servers:
        old = servers.master()
        async with under_load(servers.url, ["q"]) as load:
            async with trio.open_nursery() as submitters:
                submitters.start_soon(load.keep_submitting, "q")
                await load.acknowledged("q", 50)
                safe = await load.submit("q", 60, seconds=0.1)
                await load.replicated("q")
                old.kill()
                await load.acknowledged("q", 50)
                submitters.cancel_scope.cancel()
            assert servers.master() is not old
            await load.all_succeed(safe)
            await load.all_succeed(await load.submit("q", 20))
            await load.idle("q")


@pytest.mark.slow
async def test_a_master_that_is_replaced_while_it_lives_is_left() -> None:
    """An ordered failover turns the old master into a replica: nobody stays with it."""
    with sentinel_set() as servers:
        old = servers.master()
        async with under_load(servers.url, ["q"]) as load:
            async with trio.open_nursery() as submitters:
                submitters.start_soon(load.keep_submitting, "q")
                await load.acknowledged("q", 50)
                safe = await load.submit("q", 60, seconds=0.1)
                await load.replicated("q")
                call(servers.sentinels[0], "SENTINEL", "FAILOVER", MASTER)
                await happens(lambda: role(old) == "slave", "the old master to follow")
                await load.acknowledged("q", 50)
                submitters.cancel_scope.cancel()
            await load.all_succeed(safe)
            await load.all_succeed(await load.submit("q", 20))
            await load.idle("q")
