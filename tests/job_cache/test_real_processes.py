"""Processes that load the same entry, and one that is killed while it does."""

import subprocess
import sys
from functools import partial

import trio

from penstock.engine.cache import Cache, CacheSettings, RedisCacheStore
from penstock.engine.transport import Redis
from support.redis_server import valkey_server

LOADER = """
import sys, trio
from penstock.engine.cache import Cache, CacheSettings, RedisCacheStore
from penstock.engine.transport import Redis

async def load():
    print("loading", flush=True)
    await trio.to_thread.run_sync(sys.stdin.readline)
    return "theirs"

async def main():
    async with Redis(sys.argv[1]) as link:
        cache = Cache(RedisCacheStore(link), CacheSettings(lock=1, wait=60, patience=10))
        print(await cache.get_or_load("k", load, ttl=60, type=str), flush=True)

trio.run(main)
"""


async def test_a_load_goes_on_in_another_process_when_its_own_is_killed() -> None:
    """Nobody cleans up after it: its lock runs out. As long as it lives, others wait for it."""
    loads = 0

    async def load() -> str:
        nonlocal loads
        loads += 1
        return "ours"

    with valkey_server() as server:
        command = [sys.executable, "-c", LOADER, server.url]
        start = partial(trio.run_process, command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        async with Redis(server.url) as link, trio.open_nursery() as nursery:
            cache = Cache(RedisCacheStore(link), CacheSettings(lock=1, wait=60, patience=10))
            with trio.fail_after(60):
                process = await nursery.start(partial(start, check=False))
                assert process.stdout is not None
                assert (await process.stdout.receive_some()).startswith(b"loading")
                with trio.move_on_after(2):  # twice as long as a lock that is not renewed
                    await cache.get_or_load("k", load, ttl=60, type=str)
                assert loads == 0
                process.kill()
                assert await cache.get_or_load("k", load, ttl=60, type=str) == "ours"
    assert loads == 1
