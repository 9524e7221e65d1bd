"""Connections that go nowhere private: the address is checked where it is connected to, not before.

A name that is checked first and resolved again by whoever connects can answer differently the second time
(DNS rebinding). Here a name is resolved once, all its addresses are checked, one of them is connected to as a
number, and the connection's own peer is checked again before the first byte is sent. Redirects, literal
addresses and connections opened later all come by here.
"""

import socket
from collections.abc import Iterable
from typing import cast

import anyio
import httpcore

from penstock.engine.outgoing.addresses import why_refused
from penstock.engine.outgoing.errors import AddressRefused

SocketOption = tuple[int, int, int] | tuple[int, int, bytes | bytearray] | tuple[int, int, None, int]


def plain_backend() -> httpcore.AsyncNetworkBackend:
    """httpcore's own for Trio and asyncio, whose type its package hides: without anyio it would be none."""
    return cast(httpcore.AsyncNetworkBackend, httpcore.AnyIOBackend())


class GuardedBackend(httpcore.AsyncNetworkBackend):
    """Opens connections for httpcore, on Trio and on asyncio, to the public internet alone."""

    def __init__(self, inner: httpcore.AsyncNetworkBackend | None = None) -> None:
        self._inner = inner if inner is not None else plain_backend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[SocketOption] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """Connect to one of the host's addresses, each in turn, within `timeout` seconds for all of them.

        Raises `AddressRefused` if any of them is not public: a name that leads to both is up to something,
        and its owner can say which it is. Otherwise raises what httpcore's own backends raise.
        """
        deadline = anyio.current_time() + (timeout if timeout is not None else float("inf"))
        addresses = await _resolve(host, port, deadline)
        for address in addresses:
            _check(host, address)
        failure: Exception = httpcore.ConnectError(f"{host} has no address")
        for number, address in enumerate(addresses):
            # Each has its share of what is left, so that one that is dead leaves time for the next.
            share = (deadline - anyio.current_time()) / (len(addresses) - number)
            try:
                stream = await self._inner.connect_tcp(
                    address, port, None if timeout is None else max(share, 0), local_address, socket_options
                )
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failure = error
                continue
            return await _checked(host, stream)
        raise failure

    async def connect_unix_socket(
        self,
        path: str,
        timeout: float | None = None,
        socket_options: Iterable[SocketOption] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """Refuse: nothing on a Unix socket is public."""
        raise AddressRefused(f"{path} is a Unix socket")

    async def sleep(self, seconds: float) -> None:
        """Wait, for httpcore."""
        await anyio.sleep(seconds)


async def _resolve(host: str, port: int, deadline: float) -> list[str]:
    try:
        with anyio.fail_after(deadline - anyio.current_time()):
            found = await anyio.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except TimeoutError as error:
        raise httpcore.ConnectTimeout(f"the name of {host} was not resolved in time") from error
    except (OSError, UnicodeError) as error:
        raise httpcore.ConnectError(f"the name of {host} does not resolve") from error
    return list(dict.fromkeys(str(address[0]) for *_, address in found))


async def _checked(host: str, stream: httpcore.AsyncNetworkStream) -> httpcore.AsyncNetworkStream:
    """A connection whose peer is public; any other is closed."""
    peer = stream.get_extra_info("server_addr")
    try:
        _check(host, str(peer[0]) if peer else "")
    except AddressRefused:
        await stream.aclose()
        raise
    return stream


def _check(host: str, address: str) -> None:
    try:
        why = why_refused(address)
    except ValueError:
        why = "unknown"
    if why is not None:
        raise AddressRefused(
            f"{host} is at {address or 'no address'} ({why}), and this client goes to public addresses "
            "alone; allow_private=True lets it go there"
        )
