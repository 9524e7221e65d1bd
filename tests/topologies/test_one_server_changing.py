"""One server under load that changes beneath its clients: read-only, loading, stalled, silent."""

import pytest
import trio
from redis.exceptions import ReadOnlyError

from penstock.engine.errors import StoreUnavailable
from penstock.engine.events import JobFinished
from penstock.engine.transport import Address, Redis
from support.cluster import call
from support.redis_server import valkey_server
from topologies.load import under_load
from topologies.swallowing_proxy import swallowing_proxy


async def test_a_server_that_turns_read_only_is_waited_for() -> None:
    """A replica refuses writes; once it is a master again, everything that was acknowledged ends once."""
    with valkey_server(tcp=True) as server:
        async with under_load(server.url, ["q"]) as load:
            async with trio.open_nursery() as submitters:
                submitters.start_soon(load.keep_submitting, "q")
                await load.acknowledged("q", 50)
                await load.submit("q", 50, seconds=0.05)
                call(server, "REPLICAOF", "127.0.0.1", 1)  # nobody is there, so it keeps its data
                paused = len(load.receipts["q"])
                with pytest.raises(ReadOnlyError):
                    call(server, "SET", "probe", 1)
                with pytest.raises(StoreUnavailable):
                    await load.link.execute("SET", "probe", 1, retry_for=0.3)
                assert len(load.receipts["q"]) <= paused + 5  # one answer may have been on its way
                call(server, "REPLICAOF", "NO", "ONE")
                await load.acknowledged("q", 50)
                submitters.cancel_scope.cancel()
            await load.all_succeed(load.receipts["q"])
            await load.idle("q")


async def test_scripts_that_are_flushed_are_sent_again() -> None:
    """SCRIPT FLUSH in the middle of work costs a round trip and nothing else."""
    with valkey_server(tcp=True) as server:
        async with under_load(server.url, ["q"]) as load:
            async with trio.open_nursery() as submitters:
                submitters.start_soon(load.keep_submitting, "q")
                for _ in range(20):
                    await load.acknowledged("q", 5)
                    call(server, "SCRIPT", "FLUSH")
                submitters.cancel_scope.cancel()
            await load.all_succeed(load.receipts["q"])
            await load.idle("q")
            assert load.refused == 0


async def test_a_server_that_loads_its_data_is_waited_for() -> None:
    """After a kill it answers LOADING for a while; callers wait, and everything is there."""
    losses: list[StoreUnavailable] = []
    slowly = "--key-load-delay", "200", "--loading-process-events-interval-bytes", "1024"  # 200 µs a key
    with valkey_server(*slowly, tcp=True) as server:
        async with Redis(server.url, on_down=losses.append) as redis:
            await redis.pipeline([("SET", f"key{number}", "x" * 100) for number in range(3000)])
            await redis.execute("SAVE")
            server.kill()
            async with trio.open_nursery() as nursery:
                nursery.start_soon(trio.to_thread.run_sync, server.start)
                assert await redis.execute("GET", "key2999", retry_for=30) == b"x" * 100
    assert any("LOADING" in str(loss) for loss in losses)


async def test_a_stalled_server_holds_work_up_and_loses_nothing() -> None:
    """Stopped until calls have timed out, then let go: connections are new, jobs are the same."""
    with valkey_server() as server:
        async with under_load(f"{server.url}?socket_timeout=0.3", ["q"]) as load:
            async with trio.open_nursery() as submitters:
                submitters.start_soon(load.keep_submitting, "q")
                await load.acknowledged("q", 50)
                await load.submit("q", 50, seconds=0.05)
                server.pause()
                with pytest.raises(StoreUnavailable):
                    await load.link.execute("PING", retry_for=0.5)
                server.resume()
                await load.acknowledged("q", 50)
                submitters.cancel_scope.cancel()
            await load.all_succeed(load.receipts["q"])
            await load.idle("q")


async def test_a_peer_that_vanishes_silently_is_given_up() -> None:
    """A half-open connection says nothing, not even that it is gone: calls and subscriptions time out."""
    with valkey_server(tcp=True) as server:
        async with swallowing_proxy(server.port) as proxy:
            address = Address(port=proxy.port, host="127.0.0.1", reply_timeout=0.3)
            async with Redis(address) as redis:
                await redis.execute("PING")
                async with redis.reserve("k") as connection:
                    await connection.execute("PING")
                    proxy.swallow()
                    with trio.fail_after(5), pytest.raises(StoreUnavailable, match="no reply within"):
                        await connection.execute("XREAD", "BLOCK", 100, "STREAMS", "s", "0")
                with trio.fail_after(5), pytest.raises(StoreUnavailable):
                    await redis.execute("PING", retry_for=0)
                proxy.forward()
                assert await redis.execute("ECHO", "x", retry_for=20) == b"x"


async def test_a_worker_behind_a_link_that_goes_silent_goes_on_when_it_is_back() -> None:
    """Every connection of its is half open at once: it loses them by itself and takes new ones."""
    with valkey_server(tcp=True) as server:
        async with swallowing_proxy(server.port) as proxy:
            url = f"redis://127.0.0.1:{proxy.port}?socket_timeout=0.3&socket_connect_timeout=0.5"
            async with under_load(url, ["q"]) as load:
                await load.all_succeed(await load.submit("q", 20))
                proxy.swallow()
                with pytest.raises(StoreUnavailable):
                    await load.submit("q", 1)
                proxy.forward()
                await load.submit_in_the_end("q", 20)
                await load.rig.ears.wait_for(JobFinished, count=40)
                await load.idle("q")
