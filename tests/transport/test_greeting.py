from pathlib import Path

import anyio
import pytest
import trio

from penstock.engine.errors import ConfigurationError, StoreRefused, StoreUnavailable
from penstock.engine.transport import TLS, Address, StoreNotReady, connect
from penstock.engine.transport.greeting import greet
from penstock.engine.transport.wire import Wire
from support.redis_server import ValkeyServer, valkey_server
from support.tls_proxy import CERTIFICATE, tls_proxy
from transport.fake_stream import FakeStream, silence

BACKENDS = pytest.mark.parametrize("backend", ["trio", "asyncio"])


async def ping(address: Address) -> object:
    connection = await connect(address)
    try:
        return await connection.execute("PING")
    finally:
        await connection.aclose()


@BACKENDS
@pytest.mark.parametrize("kind", ["url", "tcp_url"])
def test_tcp_and_unix_addresses_open_on_both_loops(backend: str, kind: str, valkey: ValkeyServer) -> None:
    """The transport runs on Trio and on asyncio, on sockets of either family."""
    assert anyio.run(ping, Address.parse(getattr(valkey, kind)), backend=backend) == b"PONG"


async def test_the_address_chooses_the_database_and_the_name(valkey: ValkeyServer) -> None:
    """SELECT and CLIENT SETNAME happen before the first command, in one write."""
    connection = await connect(Address.parse(f"{valkey.url}?db=7&client_name=me"))
    assert connection.traffic.round_trips == 1
    info = await connection.execute("CLIENT", "INFO")
    assert isinstance(info, bytes)
    assert b" db=7 " in info
    assert b" name=me " in info
    assert b" lib-name=penstock " in info or b" lib-name=" not in info  # Redis 7.0 has no such field
    await connection.aclose()


async def test_the_right_password_opens_and_any_other_is_named_without_being_shown() -> None:
    """Wrong and missing logins are refused with the address and the remedy, never the password."""
    with valkey_server("--requirepass", "sesame") as server:
        path = str(server.socket_path)
        assert await ping(Address(path=path, password="sesame")) == b"PONG"
        assert await ping(Address(path=path, username="default", password="sesame")) == b"PONG"
        for user, password in [(None, "guess"), ("default", "guess"), ("x", None), (None, None)]:
            with pytest.raises(StoreRefused, match="refused the login") as caught:
                await ping(Address(path=path, username=user, password=password))
            assert path in str(caught.value)
            assert "guess" not in str(caught.value)


async def test_an_unknown_database_is_refused(valkey: ValkeyServer) -> None:
    """Nothing is ever sent to the wrong database."""
    with pytest.raises(StoreRefused, match="out of range"):
        await ping(Address.parse(f"{valkey.url}?db=99"))


@BACKENDS
def test_a_server_that_is_not_there_is_named(backend: str, tmp_path: Path) -> None:
    """The error has the address, the reason and what to check."""
    for address in (Address(port=1, host="127.0.0.1"), Address(path=str(tmp_path / "none"))):
        with pytest.raises(StoreUnavailable, match="cannot be reached") as caught:
            anyio.run(ping, address, backend=backend)
        assert str(address) in str(caught.value)
        assert "Check that the server runs" in str(caught.value)


async def test_a_server_that_is_full_is_worth_another_try() -> None:
    """It sends one line and hangs up, perhaps before the greeting is written."""
    with valkey_server("--maxclients", "1") as server:
        connection = await connect(Address.parse(server.url))
        with pytest.raises(StoreUnavailable, match=str(server.socket_path)):
            await ping(Address.parse(server.url))
        await connection.aclose()


async def test_a_server_that_cannot_serve_says_so_itself() -> None:
    """Its own line is what the caller reads, also when it hangs up after it."""
    stream = FakeStream(silence)
    stream.push(b"-ERR max number of clients reached\r\n")
    with pytest.raises(StoreNotReady, match="cannot serve now: ERR max number of clients"):
        await greet(Wire(stream, "fake"), Address())


async def test_a_silent_server_is_given_up_after_the_connect_timeout(
    autojump_clock: trio.testing.MockClock, tmp_path: Path
) -> None:
    """Greeting counts as connecting: a listener that never answers is bounded as well."""
    path = tmp_path / "silent"
    with trio.socket.socket(trio.socket.AF_UNIX) as listener:
        await listener.bind(str(path))
        listener.listen()
        started = trio.current_time()
        with pytest.raises(StoreUnavailable, match="did not answer within 3 s"):
            await ping(Address(path=str(path)))
        assert trio.current_time() - started == pytest.approx(3)


async def test_tls_protects_the_connection(valkey: ValkeyServer) -> None:
    """`rediss://` works with an authority of one's own, also for many callers and large values."""
    async with tls_proxy(valkey.socket_path) as port:
        url = f"rediss://localhost:{port}?ssl_ca_certs={CERTIFICATE}"
        connection = await connect(Address.parse(url))

        async def caller(number: int) -> None:
            text = b"%d" % number * 20_000
            assert await connection.execute("ECHO", text) == text

        async with trio.open_nursery() as nursery:
            for number in range(50):
                nursery.start_soon(caller, number)
        await connection.aclose()


async def test_an_unknown_certificate_is_refused(valkey: ValkeyServer) -> None:
    """Trying again cannot help, so it is no `StoreUnavailable`; the remedy is in the message."""
    async with tls_proxy(valkey.socket_path) as port:
        with pytest.raises(StoreRefused, match="ssl_ca_certs"):
            await ping(Address.parse(f"rediss://localhost:{port}"))
        assert await ping(Address.parse(f"rediss://localhost:{port}?ssl_cert_reqs=none")) == b"PONG"


async def test_a_name_that_the_certificate_lacks_is_refused(valkey: ValkeyServer) -> None:
    """The host is checked unless the address says not to."""
    async with tls_proxy(valkey.socket_path) as port:
        url = f"rediss://127.0.0.2:{port}?ssl_ca_certs={CERTIFICATE}"
        address = Address.parse(url)
        with pytest.raises((StoreRefused, StoreUnavailable)):
            await ping(address)


async def test_unusable_tls_files_are_a_configuration_error(tmp_path: Path) -> None:
    """A missing authority is the configuration's fault, before anything is opened."""
    with pytest.raises(ConfigurationError, match="TLS options"):
        await connect(Address(tls=TLS(ca_file=str(tmp_path / "none.pem"))))


async def test_tls_to_a_server_without_it_is_named(valkey: ValkeyServer) -> None:
    """Speaking TLS to a plain port ends with an error instead of hanging."""
    query = "ssl_cert_reqs=none&socket_connect_timeout=0.1"
    address = Address.parse(f"rediss://127.0.0.1:{valkey.port}?{query}")
    with trio.fail_after(10), pytest.raises(StoreUnavailable, match=r"did not answer within 0\.1 s"):
        await ping(address)
