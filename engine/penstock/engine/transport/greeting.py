"""From an address to a wire that is logged in: socket, TLS, AUTH, SELECT."""

import socket
import ssl

import anyio
from anyio.abc import ByteStream, SocketAttribute

from penstock.engine.errors import StoreForbidden, StoreRefused, StoreUnavailable
from penstock.engine.transport.address import Address
from penstock.engine.transport.errors import StoreError, StoreNotReady
from penstock.engine.transport.wire import Command, Reply, Traffic, Wire, pack

_REMEDY = "Check that the server runs and that this machine may reach it."

# A silent peer is given up after 30 + 3 * 10 s, well before Linux's own two hours; a call notices
# sooner by its timeout.
_KEEPALIVE = {"TCP_KEEPIDLE": 30, "TCP_KEEPINTVL": 10, "TCP_KEEPCNT": 3}


async def open_wire(address: Address, traffic: Traffic | None = None) -> Wire:
    """Connect and log in within the address's connect timeout.

    Raises `StoreUnavailable`, `StoreRefused` or `ConfigurationError`, each naming the address;
    cancellation closes what was opened.
    """
    with anyio.move_on_after(address.connect_timeout):
        stream = await _open_stream(address)
        wire = Wire(stream, str(address), traffic)
        try:
            await greet(wire, address)
        except BaseException:
            await wire.aclose()
            raise
        return wire
    raise StoreUnavailable(f"{address} did not answer within {address.connect_timeout:g} s. {_REMEDY}")


async def _open_stream(address: Address) -> ByteStream:
    context = address.tls.context() if address.tls else None
    try:
        if address.path is not None:
            return await anyio.connect_unix(address.path)
        if context is None:
            stream: ByteStream = await anyio.connect_tcp(address.host, address.port)
        else:
            stream = await anyio.connect_tcp(
                address.host, address.port, ssl_context=context, tls_standard_compatible=False
            )
    except ssl.SSLCertVerificationError as error:
        raise StoreRefused(
            f"{address} showed a certificate that cannot be trusted: {error.verify_message}. Name "
            "its authority with ?ssl_ca_certs=… or mend the certificate."
        ) from error
    except (OSError, anyio.BrokenResourceError, anyio.EndOfStream) as error:
        raise StoreUnavailable(f"{address} cannot be reached: {_describe(error)}. {_REMEDY}") from error
    _tune(stream.extra(SocketAttribute.raw_socket))
    return stream


def _tune(sock: socket.socket) -> None:
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in _KEEPALIVE.items():
        if hasattr(socket, name):  # Linux has all three
            sock.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)


async def greet(wire: Wire, address: Address) -> None:
    """Log in, choose the database and leave a name; raises as `open_wire` does."""
    required: list[Command] = []
    if address.username is not None or address.password is not None:
        user = () if address.username is None else (address.username,)
        required.append(("AUTH", *user, address.password or ""))
    if address.db:
        required.append(("SELECT", address.db))
    # Only for CLIENT LIST: an old server or a narrow ACL may refuse them.
    courtesy: list[Command] = [
        ("CLIENT", "SETNAME", address.client_name),
        ("CLIENT", "SETINFO", "LIB-NAME", "penstock"),
    ]
    commands = required + courtesy
    await wire.send(b"".join(map(pack, commands)), len(commands))
    replies: list[Reply] = []
    while len(replies) < len(commands):
        replies += await wire.receive()
        # At once, for a server that is full says so and hangs up.
        _check(replies, len(required), address)


def _check(replies: list[Reply], required: int, address: Address) -> None:
    for position, reply in enumerate(replies):
        if not isinstance(reply, StoreError):
            continue
        if isinstance(reply, StoreNotReady):
            raise StoreNotReady(f"{address} cannot serve now: {reply}") from reply
        if position < required or str(reply).startswith("NOAUTH"):
            raise StoreForbidden(
                f"{address} refused the login or the database: {reply} Mend user, password or "
                "database number in the Redis URL."
            ) from reply


def _describe(error: BaseException) -> str:
    """The innermost reason; anyio wraps the errors of several attempts in a group."""
    cause = error.__cause__ or error
    while isinstance(cause, BaseExceptionGroup):
        cause = cause.exceptions[0]
    return str(cause) or type(cause).__name__
