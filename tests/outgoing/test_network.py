"""No way into private networks: what is connected to is what was checked."""

from collections.abc import Sequence

import httpcore
import pytest
import trio

from outgoing.rig import OUTSIDE, TRUSTS_NOBODY, Backend, Resolver, guarded_client
from penstock.engine.outgoing import AddressRefused, HttpClient, HttpFailed, HttpSettings
from penstock.engine.outgoing.network import GuardedBackend
from support.http_receiver import http_receiver


def _resolved(*answers: Sequence[str]) -> Resolver:
    """Set for the run of one test: Trio keeps a resolver a run."""
    resolver = Resolver(*answers)
    trio.socket.set_custom_hostname_resolver(resolver)
    return resolver


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "localhost", "2130706433", "0x7f.1", "[::ffff:127.0.0.1]", "127.1"]
)
async def test_however_loopback_is_written_it_is_refused(host: str) -> None:
    """And nothing is connected to, though somebody listens there."""
    async with http_receiver() as receiver, HttpClient(tls=TRUSTS_NOBODY) as http:
        port = receiver.url.rsplit(":", 1)[1]
        with pytest.raises(AddressRefused, match=r"loopback.*allow_private=True"):
            await http.get(f"http://{host}:{port}/")
        assert receiver.connections == 0


async def test_who_is_allowed_goes_there() -> None:
    """`allow_private` is for what is one's own."""
    async with (
        http_receiver() as receiver,
        HttpClient(HttpSettings(allow_private=True), tls=TRUSTS_NOBODY) as http,
    ):
        assert (await http.get(receiver.url)).json() == {}


async def test_a_name_that_answers_otherwise_the_second_time_gains_nothing() -> None:
    """DNS rebinding: what was resolved once is connected to as a number, and nobody resolves it again."""
    resolver = _resolved([OUTSIDE], ["127.0.0.1"])
    backend = Backend()
    assert (await guarded_client(backend).get("http://rebind.example/")).ok
    assert (backend.connected, resolver.asked) == ([OUTSIDE], 1)
    with pytest.raises(AddressRefused, match=r"rebind\.example is at 127\.0\.0\.1"):
        await guarded_client(backend).get("http://rebind.example/")
    assert backend.connected == [OUTSIDE]


async def test_the_connections_own_peer_is_what_counts() -> None:
    """Whoever connects elsewhere than it was told: nothing is sent there, and it is closed."""
    _resolved([OUTSIDE])
    for peer in ("127.0.0.1", "::ffff:10.0.0.1", None):
        backend = Backend(peer=peer)
        with pytest.raises(AddressRefused):
            await guarded_client(backend).get("http://outside.example/")
        assert backend.streams[0].sent == b""
        assert backend.streams[0].closed


async def test_a_name_with_one_private_address_among_others_is_refused() -> None:
    """Or it would be a matter of luck."""
    _resolved([OUTSIDE, "10.0.0.1"])
    backend = Backend()
    with pytest.raises(AddressRefused, match=r"10\.0\.0\.1 \(private\)"):
        await guarded_client(backend).get("http://both.example/")
    assert backend.connected == []


async def test_a_redirect_to_a_private_address_is_refused() -> None:
    """The first request was made, the second was not."""
    _resolved([OUTSIDE])
    backend = Backend(b"HTTP/1.1 302 Found\r\nLocation: http://169.254.169.254/\r\nContent-Length: 0\r\n\r\n")
    with pytest.raises(AddressRefused, match=r"169\.254\.169\.254 is at .*metadata"):
        await guarded_client(backend, max_redirects=3).get("http://outside.example/")
    assert backend.connected == [OUTSIDE]


async def test_an_address_that_is_dead_leaves_time_for_the_next() -> None:
    """Each gets its share of the time to connect."""
    _resolved(["2606:4700::1", OUTSIDE])
    backend = Backend(dead=("2606:4700::1",))
    assert (await guarded_client(backend, connect_timeout=4.0).get("http://outside.example/")).ok
    assert backend.connected == ["2606:4700::1", OUTSIDE]
    assert backend.timeouts[0] == pytest.approx(2.0, abs=0.2)
    assert backend.timeouts[1] == pytest.approx(4.0, abs=0.4)


async def test_a_name_that_nobody_knows_is_a_failure_with_its_name() -> None:
    """Not a defect."""
    _resolved([])
    with pytest.raises(HttpFailed, match=r"GET http://nobody\.example/"):
        await guarded_client(Backend(), retries=0).get("http://nobody.example/")


async def test_a_certificate_is_checked_against_the_name_and_not_the_number() -> None:
    """Though the number is what is connected to."""
    _resolved([OUTSIDE])
    backend = Backend()
    await guarded_client(backend).get("https://outside.example/")
    assert (backend.connected, backend.streams[0].names) == ([OUTSIDE], ["outside.example"])


async def test_a_host_that_is_refused_is_not_ill() -> None:
    """Its circuit stays closed, so that the reason stays the same."""
    async with HttpClient(HttpSettings(failures_to_open=1), tls=TRUSTS_NOBODY) as http:
        for _ in range(2):
            with pytest.raises(AddressRefused):
                await http.get("http://127.0.0.1:1/")


async def test_unix_sockets_are_refused() -> None:
    """The container runtime listens on one."""
    with pytest.raises(AddressRefused):
        await GuardedBackend().connect_unix_socket("/var/run/docker.sock")
    assert issubclass(GuardedBackend, httpcore.AsyncNetworkBackend)
