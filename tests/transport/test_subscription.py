from functools import partial

import anyio
import pytest
import trio
from trio.testing import MockClock

from penstock.engine.errors import StoreRefused
from penstock.engine.transport import Address, ConnectionLost, Subscription, connect
from penstock.engine.transport.wire import Wire
from support.redis_server import ValkeyServer, valkey_server
from transport.fake_stream import FakeStream, array, bulk, silence

BACKENDS = pytest.mark.parametrize("backend", ["trio", "asyncio"])
PONG = array(bulk(b"pong"), bulk(b""))


def message(channel: bytes, payload: bytes) -> bytes:
    return array(bulk(b"smessage"), bulk(channel), bulk(payload))


def confirm(command: list[bytes]) -> bytes:
    verb, *channels = command
    if verb == b"PING":
        return PONG
    return b"".join(array(bulk(verb.lower()), bulk(channel), b":1\r\n") for channel in channels)


def subscription_on(stream: FakeStream) -> Subscription:
    return Subscription(Wire(stream, "fake"), idle_ping=5, reply_timeout=3)


@BACKENDS
def test_what_is_published_after_the_confirmation_arrives_in_order(
    backend: str, valkey: ValkeyServer
) -> None:
    """Messages come with their channel; after `unsubscribe` no more of them come."""
    one, two = f"{backend}-one", f"{backend}-two"

    async def main() -> None:
        address = Address.parse(valkey.url)
        publisher = await connect(address)
        async with Subscription.open(address) as subscription:
            await subscription.subscribe(one, two)
            await subscription.subscribe()
            for number, channel in enumerate([one, two, one]):
                assert await publisher.execute("SPUBLISH", channel, number) == 1
            await subscription.unsubscribe(two)
            assert await publisher.execute("SPUBLISH", two, "unheard") == 0
            assert await publisher.execute("SPUBLISH", one, "last") == 1
            received = []
            async for channel_and_payload in subscription:
                received.append(channel_and_payload)
                if channel_and_payload[1] == b"last":
                    break
            first, second = one.encode(), two.encode()
            assert received == [(first, b"0"), (second, b"1"), (first, b"2"), (first, b"last")]
        await publisher.aclose()

    anyio.run(main, backend=backend)


async def test_messages_among_confirmations_are_kept() -> None:
    """Whatever the order on the wire, `subscribe` throws no message away."""

    def mixed(command: list[bytes]) -> bytes:
        verb, one, two = command
        return b"".join(
            [
                *(message(one, b"1"), confirm([verb, one]), message(one, b"2")),
                *(confirm([verb, two]), message(two, b"3")),
            ]
        )

    subscription = subscription_on(FakeStream(mixed))
    await subscription.subscribe("a", "b")
    received = [await subscription.receive() for _ in range(3)]
    assert received == [(b"a", b"1"), (b"a", b"2"), (b"b", b"3")]


async def test_subscribing_while_another_task_receives() -> None:
    """A listener that waits does not keep others from subscribing."""
    stream = FakeStream(silence)
    subscription = subscription_on(stream)
    received: list[tuple[bytes, bytes]] = []

    async def listen() -> None:
        received.append(await subscription.receive())

    with trio.fail_after(5):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(listen)
            await trio.testing.wait_all_tasks_blocked()
            nursery.start_soon(partial(subscription.subscribe, "a"))
            nursery.start_soon(partial(subscription.subscribe, "b", "c"))
            await trio.testing.wait_all_tasks_blocked()
            for command in stream.commands:
                stream.push(confirm(command))
            stream.push(message(b"a", b"1"))
    assert received == [(b"a", b"1")]


@pytest.mark.parametrize("cut", range(1, 40))
async def test_messages_survive_every_way_of_being_cut(cut: int) -> None:
    """Pieces of messages are put together across reads."""
    stream = FakeStream(cut=lambda _: cut)
    stream.push(message(b"a", b"one") + PONG + message(b"b", b"two"))
    subscription = subscription_on(stream)
    assert await subscription.receive() == (b"a", b"one")
    assert await subscription.receive() == (b"b", b"two")


async def test_a_refusal_goes_to_who_asked() -> None:
    """An ACL that forbids the channel fails `subscribe`, and the connection stays in step."""
    with valkey_server() as server:
        admin = await connect(Address.parse(server.url))
        await admin.execute("ACL", "SETUSER", "u", "on", ">p", "+@all", "resetchannels", "&ok")
        address = Address(path=str(server.socket_path), username="u", password="p")
        async with Subscription.open(address) as subscription:
            with pytest.raises(StoreRefused, match="NOPERM"):
                await subscription.subscribe("forbidden")
            await subscription.subscribe("ok")
            await admin.execute("SPUBLISH", "ok", "x")
            assert await subscription.receive() == (b"ok", b"x")
        await admin.aclose()


async def test_a_silent_death_is_noticed(autojump_clock: MockClock) -> None:
    """Five quiet seconds and three more without a PONG: the peer is gone."""
    subscription = subscription_on(FakeStream(silence))
    started = trio.current_time()
    with pytest.raises(ConnectionLost, match="no answer to a PING within 3 s"):
        await subscription.receive()
    assert trio.current_time() - started == pytest.approx(8)
    with pytest.raises(ConnectionLost):
        await subscription.receive()
    with pytest.raises(ConnectionLost):
        await subscription.subscribe("a")


async def test_a_silent_death_is_noticed_by_an_impatient_listener(
    autojump_clock: MockClock,
) -> None:
    """Giving up every second and listening again does not hide that nothing is heard."""
    subscription = subscription_on(FakeStream(silence))

    async def listen() -> None:
        while True:
            with trio.move_on_after(1):
                await subscription.receive()

    with trio.fail_after(20), pytest.raises(ConnectionLost):
        await listen()


async def test_time_spent_elsewhere_is_no_silence(autojump_clock: MockClock) -> None:
    """A listener that was busy for a minute finds its connection alive."""
    stream = FakeStream(confirm)
    subscription = subscription_on(stream)
    with trio.move_on_after(6):  # a PING goes out and its answer comes in
        await subscription.receive()
    await trio.sleep(60)
    stream.push(message(b"a", b"1"))
    assert await subscription.receive() == (b"a", b"1")


async def test_a_quiet_server_is_not_a_dead_one(autojump_clock: MockClock) -> None:
    """As long as PINGs are answered, a listener waits for ever."""
    stream = FakeStream(confirm)
    subscription = subscription_on(stream)
    with trio.move_on_after(60):
        await subscription.receive()
    assert [command for command in stream.commands if command != [b"PING"]] == []
    assert len(stream.commands) == 11
    stream.push(message(b"a", b"1"))
    assert await subscription.receive() == (b"a", b"1")


async def test_a_withdrawn_channel_loses_the_connection() -> None:
    """When a slot moves, the server unsubscribes by itself; the listener has to start again."""
    stream = FakeStream(confirm)
    subscription = subscription_on(stream)
    await subscription.subscribe("a")
    stream.push(confirm([b"sunsubscribe", b"a"]))
    with pytest.raises(ConnectionLost, match="unasked"):
        await subscription.receive()
    assert stream.closed


@BACKENDS
def test_a_killed_server_is_noticed_at_once(backend: str) -> None:
    """A listener gets `ConnectionLost`, not silence."""

    async def main(server: ValkeyServer) -> None:
        async with Subscription.open(Address.parse(server.url)) as subscription:
            await subscription.subscribe("a")
            server.kill()
            with anyio.fail_after(5), pytest.raises(ConnectionLost):
                await subscription.receive()

    with valkey_server() as server:
        anyio.run(main, server, backend=backend)
