import asyncio
from collections.abc import Callable, Coroutine
from itertools import count
from typing import Any

import anyio
import anyio.lowlevel
import pytest

from penstock.engine.transport import Address, Redis, Subscription, connect
from support.redis_server import ValkeyServer
from transport.cancelling import cancelled_at
from transport.fake_stream import FakeStream, connection_on

BACKENDS = pytest.mark.parametrize("backend", ["trio", "asyncio"])


def run(backend: str, main: Callable[[], Coroutine[Any, Any, None]]) -> None:
    async def bounded() -> None:
        with anyio.fail_after(20):
            await main()

    anyio.run(bounded, backend=backend)


@BACKENDS
def test_a_lone_call_may_be_cancelled_anywhere(backend: str, valkey: ValkeyServer) -> None:
    """After a cancellation at any await, the next command gets its own reply."""

    async def main() -> None:
        connection = await connect(Address.parse(valkey.url))
        step, cancelled = 0, True
        while cancelled:
            step += 1
            cancelled = await cancelled_at(step, connection.execute("ECHO", f"lost {step}"))
            assert await connection.execute("ECHO", step) == b"%d" % step
        assert step > 2
        assert not connection.closed
        await connection.aclose()

    run(backend, main)


@BACKENDS
@pytest.mark.parametrize("victim", range(4))
def test_a_call_among_others_may_be_cancelled_anywhere(backend: str, victim: int) -> None:
    """Writer, reader or sleeper: cancelling one caller costs no other caller its reply."""

    async def with_victim_cancelled_at(step: int) -> bool:
        connection = connection_on(FakeStream(cut=lambda _: 7))
        cancelled = False

        async def caller(number: int) -> None:
            nonlocal cancelled
            if number == victim:
                cancelled = await cancelled_at(step, connection.execute("ECHO", "lost"))
                return
            for turn in range(3):
                text = b"%d-%d" % (number, turn)
                assert await connection.execute("ECHO", text) == text

        async with anyio.create_task_group() as tasks:
            for number in range(4):
                tasks.start_soon(caller, number)
        assert await connection.execute("ECHO", "next") == b"next"
        assert not connection.closed
        return cancelled

    async def main() -> None:
        step = 1
        while await with_victim_cancelled_at(step):
            step += 1
        assert step > 2

    run(backend, main)


@BACKENDS
def test_receiving_may_be_cancelled_anywhere(backend: str, valkey: ValkeyServer) -> None:
    """A cancelled `receive` or `subscribe` loses no message and the order stays."""

    async def main() -> None:
        address = Address.parse(valkey.url)
        publisher = await connect(address)
        async with Subscription.open(address) as subscription:
            await subscription.subscribe(f"news-{backend}")
            received: list[bytes] = []
            sent: list[bytes] = []

            async def receive() -> None:
                _, payload = await subscription.receive()
                received.append(payload)

            for step in count(1):
                sent.append(b"%d" % step)
                await publisher.execute("SPUBLISH", f"news-{backend}", step)
                in_time = not await cancelled_at(step, receive())
                await cancelled_at(step, subscription.subscribe(f"other-{backend}-{step}"))
                if in_time and step > 10:
                    break
            while len(received) < len(sent):
                await receive()
            assert received == sent
        await publisher.aclose()

    run(backend, main)


@BACKENDS
def test_reconnecting_may_be_cancelled_anywhere(backend: str, valkey: ValkeyServer) -> None:
    """Whoever is cancelled while it opens the connection leaves that to the next caller."""

    async def with_opener_cancelled_at(step: int) -> bool:
        cancelled = False
        async with Redis(valkey.url) as redis:
            results: list[object] = []

            async def other() -> None:
                results.append(await redis.execute("ECHO", "other"))

            async with anyio.create_task_group() as tasks:
                tasks.start_soon(other)
                cancelled = await cancelled_at(step, redis.execute("ECHO", "lost"))
                tasks.start_soon(other)
            assert results == [b"other"] * 2
            assert await redis.execute("ECHO", "next") == b"next"
        return cancelled

    async def main() -> None:
        step = 1
        while await with_opener_cancelled_at(step):
            step += 1
        assert step > 5

    run(backend, main)


def test_native_asyncio_cancellation_never_puts_replies_out_of_step(valkey: ValkeyServer) -> None:
    """`task.cancel()` ignores shields: then the connection is lost rather than out of step."""

    async def main() -> None:
        async with Redis(valkey.url) as redis:
            for ticks in range(12):
                task = asyncio.create_task(redis.execute("ECHO", "lost"))
                for _ in range(ticks):
                    await anyio.lowlevel.checkpoint()
                task.cancel()
                await asyncio.wait([task])
                assert await redis.execute("ECHO", ticks) == b"%d" % ticks

    run("asyncio", main)
