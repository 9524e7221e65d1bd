"""Serving the app with Hypercorn, in this process and this nursery."""

import errno
import logging
import socket
from ipaddress import ip_address
from typing import Any, Protocol

import hypercorn.trio
import trio
from hypercorn.config import Config, Sockets

from penstock.engine.errors import ConfigurationError

DEFAULT_BIND = "127.0.0.1:8181"
BACKLOG = 1024
SILENT_PEER = 60_000
"""Milliseconds (TCP_USER_TIMEOUT) after which a peer that takes no bytes is gone. Hypercorn shields its
writes from cancellation: without this, one client that stops reading holds the process at shutdown."""

_REMEDIES = {
    errno.EADDRINUSE: "something listens there already; stop it, or choose another port (0: any free one)",
    errno.EADDRNOTAVAIL: "this machine has no such address",
    errno.EACCES: "this user may not; choose a port from 1024 on",
    errno.EPERM: "this user may not; choose a port from 1024 on",
}


class Waitable(Protocol):
    """`trio.Event` and its like."""

    async def wait(self) -> Any:
        """Return when it is time."""
        ...


async def serve(
    app: Any,
    bind: str = DEFAULT_BIND,
    *,
    shutdown: Waitable | None = None,
    allow_insecure: bool = False,
    graceful_timeout: float = 5.0,
    linger: float = 0.0,
    task_status: trio.TaskStatus[str] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Serve an ASGI app until `shutdown` or cancellation; `task_status` gets the URL once it listens.

    `bind` is `host:port`, `[::1]:port` for IPv6; port 0 takes a free one. `linger` seconds after `shutdown`
    no connection is accepted any more, and running requests have `graceful_timeout` seconds. Errors go to the
    logger `penstock.http.server`.

    Raises:
        ConfigurationError: the address is malformed, taken, forbidden or not of this machine, or others
            than this machine could reach it and `allow_insecure` is not given.
    """

    async def end() -> None:
        if shutdown is None:
            await trio.sleep_forever()
        else:
            await shutdown.wait()
            await trio.sleep(linger)

    with await _bound_socket(bind, allow_insecure) as listener:
        await hypercorn.trio.serve(
            app,
            _Config(listener, graceful_timeout),
            shutdown_trigger=end,
            task_status=_FirstUrl(task_status),
        )


class _Config(Config):
    """Hypercorn's settings, with a socket of our own: bound already, its faults told in our words."""

    backlog = BACKLOG
    errorlog = logging.getLogger("penstock.http.server")
    include_server_header = False
    keep_alive_max_requests = 100_000
    keep_alive_timeout = 30.0

    def __init__(self, listener: socket.socket, graceful_timeout: float) -> None:
        self.graceful_timeout = graceful_timeout
        self._listener = listener

    def create_sockets(self) -> Sockets:
        """The one socket; Hypercorn makes it listen after the lifespan has started."""
        return Sockets(secure_sockets=[], insecure_sockets=[self._listener], quic_sockets=[])


class _FirstUrl:
    """Hypercorn reports a list of what it listens on; ours has one element."""

    def __init__(self, task_status: trio.TaskStatus[str]) -> None:
        self._task_status = task_status

    def started(self, value: list[str] | None = None) -> None:
        self._task_status.started((value or [""])[0])


async def _bound_socket(bind: str, allow_insecure: bool) -> socket.socket:
    host, port = _split(bind)
    try:
        found = await trio.socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except OSError as error:
        raise _cannot(bind, f"the host is not known ({error.strerror})") from error
    family, _, _, _, address = found[0]
    if not (ip_address(str(address[0]).partition("%")[0]).is_loopback or allow_insecure):
        raise _cannot(
            bind,
            "everybody who reaches that address could submit and cancel jobs. Ask for tokens (tokens_file), "
            "bind to 127.0.0.1, or allow it in so many words (allow_insecure)",
        )
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        _set_options(listener)
        listener.bind(address)
    except OSError as error:
        listener.close()
        remedy = _REMEDIES.get(error.errno or 0, error.strerror or str(error))
        raise _cannot(bind, remedy) from error
    return listener


def _split(bind: str) -> tuple[str, int]:
    host, colon, port = bind.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    if not (colon and host and port.isascii() and port.isdigit() and int(port) < 2**16):
        raise _cannot(bind, f"expected host:port, like {DEFAULT_BIND} or [::1]:8181")
    return host, int(port)


def _set_options(listener: socket.socket) -> None:
    listener.setblocking(False)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    # Accepted connections inherit both; a small answer shall not wait for the last one's receipt.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    if hasattr(socket, "TCP_USER_TIMEOUT"):  # Linux
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, SILENT_PEER)


def _cannot(bind: str, reason: str) -> ConfigurationError:
    return ConfigurationError(f"cannot serve on {bind}: {reason}")
