import random
from functools import partial

import anyio
import pytest
import trio
from trio.testing import MockClock

from penstock.engine.errors import StoreRefused, StoreUnavailable
from penstock.engine.transport import Address, Connection, Redis, Script, Traffic
from support.redis_server import ValkeyServer, valkey_server
from transport.fake_stream import FakeStream, bulk, connection_on, echo, silence

BACKENDS = pytest.mark.parametrize("backend", ["trio", "asyncio"])
ADDRESS = Address(host="fake")


class LongestDelays(random.Random):
    """Draws the upper bound each time and remembers it."""

    def __init__(self) -> None:
        super().__init__()
        self.drawn: list[float] = []

    def uniform(self, a: float, b: float) -> float:
        assert a == 0
        self.drawn.append(b)
        return b


class Servers:
    """What answers at an address: one stream after the other, then nobody."""

    def __init__(self, *streams: FakeStream) -> None:
        self.streams = list(streams)
        self.tries: list[float] = []

    async def connect(self, _address: Address, _traffic: Traffic) -> Connection:
        self.tries.append(trio.current_time())
        await trio.lowlevel.checkpoint()
        if not self.streams:
            raise StoreUnavailable("nobody there")
        return connection_on(self.streams.pop(0))


async def test_it_backs_off_exponentially_with_full_jitter(autojump_clock: MockClock) -> None:
    """The first try is immediate; the bound of the random delay doubles from 50 ms up to half a second."""
    servers, rng = Servers(), LongestDelays()
    redis = Redis(ADDRESS, rng=rng, connect=servers.connect)
    started = trio.current_time()
    with pytest.raises(StoreUnavailable, match=r"redis://fake:6379/0 gave no answer for 3\.0 s"):
        await redis.execute("PING")
    assert rng.drawn == [0.05, 0.1, 0.2, 0.4, 0.5, 0.5, 0.5, 0.5, 0.5]
    gaps = [b - a for a, b in zip(servers.tries, servers.tries[1:], strict=False)]
    assert servers.tries[0] == started
    assert gaps == pytest.approx(rng.drawn[: len(gaps)])


async def test_many_callers_share_one_backoff(autojump_clock: MockClock) -> None:
    """A hundred callers try no more often than one, and each one gets the reason."""
    servers, rng = Servers(), LongestDelays()
    redis = Redis(ADDRESS, rng=rng, connect=servers.connect)

    async def caller() -> None:
        with pytest.raises(StoreUnavailable, match="nobody there"):
            await redis.execute("PING")

    started = trio.current_time()
    async with trio.open_nursery() as nursery:
        for _ in range(100):
            nursery.start_soon(caller)
    assert trio.current_time() - started == pytest.approx(3)
    assert len(servers.tries) <= 11


async def test_one_caller_opens_and_the_others_wait() -> None:
    """However many callers there are, one connection is opened."""
    servers = Servers(FakeStream())
    redis = Redis(ADDRESS, connect=servers.connect)
    async with trio.open_nursery() as nursery:
        for number in range(50):
            nursery.start_soon(partial(redis.execute, "ECHO", number))
    assert len(servers.tries) == redis.connects == 1


async def test_a_steady_connection_starts_the_backoff_afresh(autojump_clock: MockClock) -> None:
    """A loss after a long good time is mended at once; losses in quick succession are not."""
    streams = [FakeStream() for _ in range(4)]
    servers, rng = Servers(*streams), LongestDelays()
    redis = Redis(ADDRESS, rng=rng, connect=servers.connect)
    for stream in streams[:3]:
        await redis.execute("PING")
        await stream.aclose()
    assert rng.drawn == [0.05, 0.1]
    await trio.sleep(11)
    await redis.execute("PING")
    assert rng.drawn == [0.05, 0.1]


@pytest.mark.parametrize("code", ["READONLY", "LOADING", "BUSY", "MASTERDOWN"])
@pytest.mark.parametrize("how", ["execute", "pipeline"])
async def test_not_now_means_another_connection(code: str, how: str, autojump_clock: MockClock) -> None:
    """After a failover the old master is left, and what answers next gets the command."""
    old = FakeStream(lambda _: f"-{code} not now\r\n".encode())
    redis = Redis(ADDRESS, connect=Servers(old, FakeStream()).connect)
    if how == "execute":
        assert await redis.execute("ECHO", "x") == b"x"
    else:
        assert await redis.pipeline([("ECHO", "x"), ("ECHO", "y")]) == [b"x", b"y"]
    assert old.closed
    assert redis.connects == 2


async def test_a_lost_reply_is_asked_for_again(autojump_clock: MockClock) -> None:
    """A command whose connection breaks is sent again on the next one."""

    class Breaking(FakeStream):
        async def receive(self, max_bytes: int = 65536) -> bytes:
            raise anyio.EndOfStream

    old, new = Breaking(), FakeStream()
    redis = Redis(ADDRESS, connect=Servers(old, new).connect)
    assert await redis.execute("ECHO", "x") == b"x"
    assert old.commands == new.commands == [[b"ECHO", b"x"]]


async def test_no_retry_means_a_single_try(autojump_clock: MockClock) -> None:
    """`retry_for=0` is for those who want to know at once."""
    servers = Servers()
    redis = Redis(ADDRESS, connect=servers.connect)
    with pytest.raises(StoreUnavailable, match="nobody there"):
        await redis.execute("PING", retry_for=0)
    assert len(servers.tries) == 1


async def test_a_connection_that_opens_for_ever_is_bounded(autojump_clock: MockClock) -> None:
    """`retry_for` also bounds the wait for a connection."""

    async def connect(_address: Address, _traffic: Traffic) -> Connection:
        await trio.sleep_forever()
        raise AssertionError

    redis = Redis(ADDRESS, connect=connect)
    started = trio.current_time()
    with pytest.raises(StoreUnavailable, match="gave no answer"):
        await redis.execute("PING", retry_for=2)
    assert trio.current_time() - started == pytest.approx(2)


async def test_a_refusal_is_not_repeated() -> None:
    """What sending again will not cure is raised at once, and the connection stays."""
    stream = FakeStream(lambda _: b"-WRONGTYPE no\r\n")
    redis = Redis(ADDRESS, connect=Servers(stream).connect)
    with pytest.raises(StoreRefused, match="WRONGTYPE"):
        await redis.execute("GET", "list")
    (reply,) = await redis.pipeline([("GET", "list")])
    assert isinstance(reply, StoreRefused)
    assert len(stream.commands) == 2
    assert redis.up


async def test_its_ups_and_downs_are_told_once_each(autojump_clock: MockClock) -> None:
    """However many callers notice a loss, `on_down` is called once, before the next `on_up`."""
    told: list[str] = []
    streams = [FakeStream(silence), FakeStream()]
    redis = Redis(
        ADDRESS,
        connect=Servers(*streams).connect,
        on_up=lambda: told.append("up"),
        on_down=lambda error: told.append(type(error).__name__),
    )
    assert not redis.up
    async with trio.open_nursery() as nursery:
        for number in range(10):
            nursery.start_soon(partial(redis.execute, "ECHO", number, retry_for=9))
    assert told == ["up", "ConnectionLost", "up"]
    assert redis.up


async def test_a_closed_link_stays_closed() -> None:
    """After the block no call opens the connection again."""
    servers = Servers(FakeStream(), FakeStream())
    async with Redis(ADDRESS, connect=servers.connect) as redis:
        await redis.execute("PING")
    with pytest.raises(StoreUnavailable, match="closed here"):
        await redis.execute("PING")
    assert len(servers.tries) == 1


async def test_closing_ends_calls_in_flight() -> None:
    """They do not try again behind the owner's back."""
    redis = Redis(ADDRESS, connect=Servers(FakeStream(silence), FakeStream()).connect)

    async def caller() -> None:
        with pytest.raises(StoreUnavailable, match="closed here"):
            await redis.execute("PING", retry_for=60)

    with trio.fail_after(5):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(caller)
            await trio.testing.wait_all_tasks_blocked()
            await redis.aclose()


@BACKENDS
def test_a_script_goes_by_digest_and_by_source_only_where_unknown(backend: str, valkey: ValkeyServer) -> None:
    """The source travels once; keys and arguments arrive in either case."""
    script = Script(f"probe {backend}", f"return {{KEYS[1], ARGV[1], '{backend}'}}")

    async def main() -> None:
        async with Redis(valkey.url) as redis:
            for expected in (2, 1, 1):
                before = redis.traffic.commands_sent if redis.connects else 2
                assert await redis.script(script, ["k"], [5]) == [b"k", b"5", backend.encode()]
                assert redis.traffic.commands_sent - before == expected
            await redis.execute("SCRIPT", "FLUSH")
            assert await redis.script(script, ["k"], [5]) == [b"k", b"5", backend.encode()]

    anyio.run(main, backend=backend)


@BACKENDS
def test_a_server_that_comes_back_is_used_again(backend: str) -> None:
    """Callers that meet a restart get their answers late, not errors."""

    async def main(server: ValkeyServer) -> None:
        async with Redis(server.url) as redis:
            await redis.execute("PING")

            async def caller(number: int) -> None:
                assert await redis.execute("ECHO", number, retry_for=30) == b"%d" % number

            server.kill()
            with anyio.fail_after(30):
                async with anyio.create_task_group() as tasks:
                    for number in range(20):
                        tasks.start_soon(caller, number)
                    await anyio.to_thread.run_sync(server.start)
            assert redis.connects == 2

    with valkey_server() as server:
        anyio.run(main, server, backend=backend)


@BACKENDS
def test_a_stalled_server_costs_the_connection_and_nothing_later(backend: str) -> None:
    """A timeout drops the connection; once the server goes on, calls work on a new one."""

    async def main(server: ValkeyServer) -> None:
        async with Redis(server.url) as redis:
            await redis.execute("PING")
            server.pause()
            with pytest.raises(StoreUnavailable, match="no reply within"):
                await redis.execute("PING", timeout=0.05, retry_for=0)
            assert not redis.up
            server.resume()
            assert await redis.execute("ECHO", "x", retry_for=30) == b"x"
            assert redis.connects == 2

    with valkey_server() as server:
        anyio.run(main, server, backend=backend)


async def test_traffic_is_counted_across_connections() -> None:
    """Gates count commands and bytes whatever happens to the connection."""
    with valkey_server() as server:
        async with Redis(server.url) as redis:
            await redis.execute("PING")
            first = redis.traffic.bytes_received
            server.restart()
            await redis.execute("PING")
            assert redis.traffic.bytes_received > first
            assert redis.traffic.bytes_sent > redis.traffic.commands_sent >= 6


async def test_an_unparsable_address_is_refused_before_anything_is_opened() -> None:
    """A URL may be given as text."""
    assert Redis("redis://h:1/2").address == Address(host="h", port=1, db=2)
    assert bulk(b"x") == echo([b"ECHO", b"x"])
