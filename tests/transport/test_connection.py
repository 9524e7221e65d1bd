import random
from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from itertools import chain, repeat

import anyio
import pytest
import trio
from trio.testing import MockClock

from penstock.engine.errors import StoreRefused
from penstock.engine.transport import Address, ConnectionLost, connect
from support.redis_server import ValkeyServer, valkey_server
from transport.fake_stream import FakeStream, array, bulk, connection_on, echo, silence

BACKENDS = pytest.mark.parametrize("backend", ["trio", "asyncio"])


@BACKENDS
def test_each_of_many_concurrent_callers_gets_its_own_reply(backend: str, valkey: ValkeyServer) -> None:
    """Five hundred tasks share a connection, and no reply goes to the wrong one."""

    async def main() -> None:
        connection = await connect(Address.parse(valkey.url))

        async def caller(number: int) -> None:
            for turn in range(5):
                text = b"%d/%d" % (number, turn)
                assert await connection.execute("ECHO", text) == text
                assert await connection.pipeline([("ECHO", text), ("ECHO", number)]) == [
                    text,
                    b"%d" % number,
                ]

        with anyio.fail_after(30):
            async with anyio.create_task_group() as tasks:
                for number in range(500):
                    tasks.start_soon(caller, number)
        assert connection.traffic.commands_sent >= 500 * 5 * 3
        assert connection.traffic.round_trips < connection.traffic.commands_sent / 4
        await connection.aclose()

    anyio.run(main, backend=backend)


@pytest.mark.parametrize("seed", range(60))
async def test_no_caller_is_forgotten(seed: int, autojump_clock: MockClock) -> None:
    """Whatever the interleaving, sizes of chunks and cancellations, everybody gets a reply.

    Were a wake-up lost, all tasks would be idle and the virtual clock would jump to a timeout.
    """
    rng = random.Random(seed)
    connection = connection_on(FakeStream(cut=lambda size: rng.randint(1, size)))

    async def dawdle(longest: int) -> None:
        for _ in range(rng.randint(0, longest)):
            await trio.lowlevel.checkpoint()

    async def cancel_later(scope: trio.CancelScope) -> None:
        await dawdle(8)
        scope.cancel()

    async def caller(number: int) -> None:
        for turn in range(20):
            await dawdle(3)
            text = b"%d/%d" % (number, turn)
            with trio.CancelScope() as scope:
                if rng.random() < 0.3:
                    nursery.start_soon(cancel_later, scope)
                assert await connection.execute("ECHO", text) == text

    with trio.fail_after(1):
        async with trio.open_nursery() as nursery:
            for number in range(rng.randint(2, 7)):
                nursery.start_soon(caller, number)


async def test_a_lone_caller_writes_once_and_waits_once(valkey: ValkeyServer) -> None:
    """A command costs one write, and a pipeline costs one write, whatever its length."""
    connection = await connect(Address.parse(valkey.url))
    before = connection.traffic.round_trips
    await connection.execute("PING")
    assert connection.traffic.round_trips == before + 1
    assert await connection.pipeline([("PING",)] * 100) == [b"PONG"] * 100
    assert connection.traffic.round_trips == before + 2
    assert await connection.pipeline([]) == []
    assert connection.traffic.round_trips == before + 2
    await connection.aclose()


async def test_replies_keep_their_types(valkey: ValkeyServer) -> None:
    """Bytes, integers, nil and nested lists arrive as bytes, int, None and list."""
    connection = await connect(Address.parse(valkey.url))
    lua = "return {1, 'two', {3, false}, redis.error_reply('WRONG inside')}"
    one, two, three, error = await connection.execute("EVAL", lua, 0)  # type: ignore[misc]
    assert (one, two, three) == (1, b"two", [3, None])
    assert isinstance(error, StoreRefused)
    await connection.aclose()


async def test_an_error_reply_is_raised_alone_and_returned_in_a_pipeline(
    valkey: ValkeyServer,
) -> None:
    """One bad command in a pipeline leaves the replies of the others to be read."""
    connection = await connect(Address.parse(valkey.url))
    with pytest.raises(StoreRefused, match="unknown command"):
        await connection.execute("NONSENSE")
    first, second, third = await connection.pipeline([("PING",), ("NONSENSE",), ("PING",)])
    assert (first, third) == (b"PONG", b"PONG")
    assert isinstance(second, StoreRefused)
    await connection.aclose()


def next_of(cuts: Iterator[int], size: int) -> int:
    return min(size, next(cuts))


async def test_replies_survive_every_way_of_being_cut() -> None:
    """Wherever the network cuts the bytes, the same replies come out."""
    reply = array(bulk(b"a\r\nb"), b":42\r\n", b"$-1\r\n", b"*0\r\n", b"-ERR no\r\n")
    whole = reply + b"+OK\r\n"
    for position in range(1, len(whole)):
        first_cut = chain([position], repeat(len(whole)))
        stream = FakeStream(lambda _: reply, partial(next_of, first_cut))
        connection = connection_on(stream)
        first, second = await connection.pipeline([("X",), ("Y",)])
        assert isinstance(first, list)
        assert first[:4] == [b"a\r\nb", 42, None, []]
        assert isinstance(first[4], StoreRefused)
        assert isinstance(second, list)

    connection = connection_on(FakeStream(cut=lambda _: 1))
    assert await connection.execute("ECHO", "x" * 50) == b"x" * 50


async def test_a_slow_write_does_not_keep_replies_from_others() -> None:
    """While one caller writes what others left, one of those reads."""
    gates = {b"second": trio.Event(), b"long": trio.Event()}

    class Slow(FakeStream):
        async def send(self, item: bytes) -> None:
            for name, gate in gates.items():
                if name in item:
                    await gate.wait()

    stream = Slow()
    connection = connection_on(stream)
    answered: list[object] = []

    async def caller(text: str) -> None:
        answered.append(await connection.execute("ECHO", text))

    async with trio.open_nursery() as nursery:
        for text in ("first", "second", "third", "long"):
            nursery.start_soon(caller, text)
            await trio.testing.wait_all_tasks_blocked()
        stream.push(bulk(b"first"))
        await trio.testing.wait_all_tasks_blocked()
        gates[b"second"].set()  # its writer goes on with what the last two have left
        await trio.testing.wait_all_tasks_blocked()
        stream.push(bulk(b"second") + bulk(b"third"))
        await trio.testing.wait_all_tasks_blocked()
        assert answered == [b"first", b"third"]
        gates[b"long"].set()
        stream.push(bulk(b"long"))


async def test_an_already_cancelled_caller_sends_nothing() -> None:
    """What is cancelled from the start has no effect on the server."""
    stream = FakeStream()
    connection = connection_on(stream)
    with trio.CancelScope() as scope:
        scope.cancel()
        await connection.execute("ECHO", "ghost")
    assert stream.commands == []
    assert stream.writes == 0
    assert connection.traffic.commands_sent == 0


@pytest.mark.parametrize(("timeout", "seconds"), [(..., 5), (2.0, 2)], ids=["the address's", "its own"])
async def test_a_missing_reply_loses_the_connection(
    timeout: float, seconds: float, autojump_clock: MockClock
) -> None:
    """Everything behind a missing reply waits too, so all calls in flight fail at once."""
    stream = FakeStream(silence)
    connection = connection_on(stream)
    failures = 0

    async def other() -> None:
        nonlocal failures
        with pytest.raises(ConnectionLost, match="no reply within"):
            await connection.execute("OTHER", timeout=None)
        failures += 1

    started = trio.current_time()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(other)
        nursery.start_soon(other)
        with pytest.raises(ConnectionLost, match=f"no reply within {seconds} s"):
            await connection.execute("PING", timeout=timeout)
    assert failures == 2
    assert trio.current_time() - started == pytest.approx(seconds)
    assert connection.closed
    assert stream.closed
    with pytest.raises(ConnectionLost):
        await connection.execute("PING")


async def test_no_timeout_means_none(autojump_clock: MockClock) -> None:
    """A blocking command may take an hour."""
    stream = FakeStream(silence)
    connection = connection_on(stream)
    async with trio.open_nursery() as nursery:

        @nursery.start_soon
        async def server() -> None:
            await trio.sleep(3600)
            stream.push(b"+late\r\n")

        assert await connection.execute("XREAD", timeout=None) == b"late"


@pytest.mark.parametrize("timeout", [..., None])
async def test_a_server_that_takes_no_data_loses_the_connection(
    timeout: float | None, autojump_clock: MockClock
) -> None:
    """A write is bounded even in a call that would wait for its reply for ever."""

    class Stuck(FakeStream):
        async def send(self, item: bytes) -> None:
            await trio.sleep_forever()

    connection = connection_on(Stuck())
    with trio.fail_after(60), pytest.raises(ConnectionLost, match="cut off"):
        await connection.execute("PING", timeout=timeout)
    assert connection.closed


async def test_the_callers_own_deadline_is_not_a_timeout(autojump_clock: MockClock) -> None:
    """A caller that gives up leaves the connection as it is."""
    stream = FakeStream(silence)
    connection = connection_on(stream)
    with trio.move_on_after(1) as scope:
        await connection.execute("ECHO", "abandoned")
    assert scope.cancelled_caught
    assert not connection.closed
    stream.answer = echo
    stream.push(bulk(b"abandoned"))
    assert await connection.execute("ECHO", "next") == b"next"


async def test_a_call_cancelled_before_its_turn_is_never_sent() -> None:
    """No ghost of a cancelled command runs later."""
    gate = trio.Event()

    class Slow(FakeStream):
        async def send(self, item: bytes) -> None:
            await gate.wait()
            await super().send(item)

    stream = Slow()
    connection = connection_on(stream)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(partial(connection.execute, "ECHO", "first"))
        await trio.testing.wait_all_tasks_blocked()
        with trio.CancelScope() as scope:
            nursery.start_soon(_cancel_when_idle, scope)
            await connection.execute("ECHO", "ghost")
        assert scope.cancelled_caught
        gate.set()
    assert await connection.execute("ECHO", "next") == b"next"
    assert [command[-1] for command in stream.commands] == [b"first", b"next"]


async def _cancel_when_idle(scope: trio.CancelScope) -> None:
    await trio.testing.wait_all_tasks_blocked()
    scope.cancel()


@pytest.mark.parametrize("nonsense", [b"HTTP/1.1 400 Bad Request\r\n", b"+OK\r\n+unasked\r\n"])
async def test_a_peer_that_speaks_nonsense_is_left(nonsense: bytes) -> None:
    """Bytes that are no reply, or a reply to nothing, mean that the two are out of step."""
    stream = FakeStream(silence)
    connection = connection_on(stream)
    stream.push(nonsense)
    with suppress(ConnectionLost):  # the reply was there before the nonsense
        await connection.execute("PING")
    assert connection.closed
    assert stream.closed
    with pytest.raises(ConnectionLost):
        await connection.execute("PING")


@BACKENDS
def test_a_server_killed_in_mid_call_fails_every_call_in_flight(backend: str) -> None:
    """Nobody is left waiting for a reply that cannot come."""

    async def main(server: ValkeyServer) -> None:
        connection = await connect(Address.parse(server.url))
        failures = 0

        async def caller() -> None:
            nonlocal failures
            with pytest.raises(ConnectionLost, match=r"valkey\.sock"):
                await connection.execute("BLPOP", "nothing", 0, timeout=None)
            failures += 1

        with anyio.fail_after(10):
            async with anyio.create_task_group() as tasks:
                for _ in range(20):
                    tasks.start_soon(caller)
                await anyio.wait_all_tasks_blocked()
                server.kill()
        assert failures == 20

    with valkey_server() as server:
        anyio.run(main, server, backend=backend)


@BACKENDS
def test_closing_fails_every_call_in_flight(backend: str, valkey: ValkeyServer) -> None:
    """`aclose` does not wait for replies."""

    async def main() -> None:
        connection = await connect(Address.parse(valkey.url))

        async def caller() -> None:
            with pytest.raises(ConnectionLost, match="closed here"):
                await connection.execute("BLPOP", "nothing", 0, timeout=None)

        with anyio.fail_after(10):
            async with anyio.create_task_group() as tasks:
                for _ in range(3):
                    tasks.start_soon(caller)
                await anyio.wait_all_tasks_blocked()
                await connection.aclose()

    anyio.run(main, backend=backend)
