"""The proxy in front of a real server."""

from collections.abc import AsyncGenerator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trio
import trio.testing

from benchmarks.chaos.misfortune import PEACE, Misfortune, Mishap
from benchmarks.chaos.proxy import Proxy
from penstock.engine.errors import StoreUnavailable
from penstock.engine.transport import Redis
from support.redis_server import ValkeyServer, valkey_server


@pytest.fixture
def server() -> Iterator[ValkeyServer]:
    """A server of this test's own."""
    with valkey_server() as running:
        yield running


@asynccontextmanager
async def proxied(server: ValkeyServer, *fates: Misfortune) -> AsyncGenerator[Proxy]:
    """A proxy for the processes `one` and `two`; `one`'s first connections have these fates."""

    def draw(name: str, number: int) -> Misfortune:
        return fates[number - 1] if name == "one" and number <= len(fates) else PEACE

    proxy = Proxy(Path(server.directory), server.socket_path, draw)
    async with trio.open_nursery() as nursery:
        await nursery.start(proxy.serve, "one")
        await nursery.start(proxy.serve, "two")
        yield proxy
        nursery.cancel_scope.cancel()


@pytest.mark.parametrize(("kind", "executed"), [("cut_request", None), ("cut_reply", b"1")])
async def test_a_cut_is_before_or_after_execution(
    server: ValkeyServer, kind: Mishap, executed: bytes | None
) -> None:
    """A request cut in its middle changes nothing; one whose reply is cut off has been carried out."""
    async with proxied(server, Misfortune(kind)) as proxy, Redis(server.url) as direct:
        async with await trio.open_unix_socket(proxy.url("one").removeprefix("unix://")) as client:
            await trio.testing.wait_all_tasks_blocked(0.05)
            await client.send_all(b"INCR count\r\n")
            with trio.fail_after(10):
                assert await client.receive_some() == b""
        assert await direct.execute("GET", "count") == executed
        assert proxy.tally == {kind: 1}


async def test_a_partition_is_of_one_process_only(server: ValkeyServer) -> None:
    """One process hears nothing, on old and new connections; the other does not notice; then both hear."""
    async with proxied(server) as proxy:
        hasty = "?socket_timeout=0.3&socket_connect_timeout=0.3"
        one, two = (proxy.url(name) + hasty for name in ("one", "two"))
        async with Redis(one) as cut_off, Redis(two) as other:
            await cut_off.execute("SET", "key", "before")
            proxy.cut_off("one")
            with pytest.raises(StoreUnavailable):
                await cut_off.execute("SET", "key", "during", retry_for=1.0)
            assert await other.execute("GET", "key") == b"before"
            proxy.join("one")
            assert await cut_off.execute("GET", "key") == b"before"


async def test_a_blip_cuts_everybody(server: ValkeyServer) -> None:
    """Every connection ends at once, and everybody connects anew."""
    async with proxied(server) as proxy, Redis(proxy.url("one")) as one, Redis(proxy.url("two")) as two:
        for redis in (one, two):
            await redis.execute("PING")
        proxy.blip()
        for redis in (one, two):
            assert await redis.execute("PING") in (b"PONG", "PONG")
            assert redis.connects == 2


async def test_calm_ends_all_mishaps(server: ValkeyServer) -> None:
    """Once it has calmed down no connection meets its fate, and nobody is cut off."""
    fates = [Misfortune("cut", after=0.0)] * 100
    async with proxied(server, *fates) as proxy:
        proxy.cut_off("two")
        proxy.calm_down()
        for name in ("one", "two"):
            async with Redis(proxy.url(name)) as redis:
                assert await redis.execute("PING") in (b"PONG", "PONG")
        assert not proxy.tally


async def test_while_the_server_is_down_connections_end(server: ValkeyServer) -> None:
    """A process that connects meanwhile is not left waiting; afterwards it is served."""
    async with proxied(server) as proxy, Redis(proxy.url("one")) as redis:
        server.kill()
        async with await trio.open_unix_socket(proxy.url("one").removeprefix("unix://")) as client:
            with trio.fail_after(10):
                assert await client.receive_some() == b""
        server.start()
        assert await redis.execute("PING") in (b"PONG", "PONG")
