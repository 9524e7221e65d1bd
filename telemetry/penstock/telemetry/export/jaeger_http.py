"""Posts to a Jaeger collector, over HTTP or HTTPS.

Unlike the library's own client this one raises for whatever was not accepted, is bounded as a whole, not by
each wait for a byte, and can be ended from another thread. HTTP proxies are not used.
"""

import re
import socket
import ssl
import threading
import time
from base64 import b64encode
from collections.abc import Sequence
from contextlib import suppress
from urllib.parse import SplitResult


class Posts:
    """Posts Thrift, each time on a connection of its own.

    `timeout` is in seconds, for all of a post but the look-up of the name, which is bounded by the resolver.
    """

    limit: int | None = None

    def __init__(self, url: SplitResult, timeout: float, credentials: tuple[str, str] | None) -> None:
        self.destination = url._replace(query="", fragment="").geturl()  # a query may hold secrets
        self._host = url.hostname or ""
        self._port = url.port or (443 if url.scheme == "https" else 80)
        self._timeout = timeout
        self._tls = ssl.create_default_context() if url.scheme == "https" else None
        self._head = _head(url, credentials)
        self._lock = threading.Lock()
        self._connection: socket.socket | None = None
        self._closed = False

    def send(self, messages: Sequence[bytes]) -> None:
        """Post each; raises `OSError` unless each was answered with a status of 2xx."""
        for message in messages:
            self._post(message, time.monotonic() + self._timeout)

    def close(self) -> None:
        """End the post that is under way, wherever it waits, and refuse those to come; from any thread."""
        with self._lock:
            self._closed = True
            if self._connection is not None:
                with suppress(OSError):  # not connected yet, or not any more
                    # Not TLS's own `shutdown`: it changes what the other thread is reading from.
                    socket.socket.shutdown(self._connection, socket.SHUT_RDWR)

    def _post(self, body: bytes, deadline: float) -> None:
        request = memoryview(self._head % len(body) + body)
        try:
            connection = self._connect(deadline)
            while request:
                connection.settimeout(_left(deadline))
                request = request[connection.send(request) :]
            status = _read_status(connection, deadline)
        finally:
            self._let_go()
        if not 200 <= status < 300:
            raise ConnectionError(f"answered with HTTP status {status}")

    def _connect(self, deadline: float) -> socket.socket:
        """A connection to the first address that takes one."""
        trouble: OSError | None = None
        addresses = socket.getaddrinfo(self._host, self._port, type=socket.SOCK_STREAM)
        for family, kind, protocol, _, address in addresses:
            connection = socket.socket(family, kind, protocol)
            self._hold(connection)
            try:
                connection.settimeout(_left(deadline))
                connection.connect(address)
            except OSError as error:
                trouble = error
                self._let_go()
            else:
                return self._secured(connection, deadline)
        raise trouble or OSError(f"no address for {self._host}")

    def _secured(self, connection: socket.socket, deadline: float) -> socket.socket:
        if self._tls is None:
            return connection
        secure = self._tls.wrap_socket(connection, server_hostname=self._host, do_handshake_on_connect=False)
        self._hold(secure)
        secure.settimeout(_left(deadline))
        secure.do_handshake()
        return secure

    def _hold(self, connection: socket.socket) -> None:
        """Keep it where `close` finds it, in place of the one that it was made of."""
        with self._lock:
            if self._closed:
                connection.close()
                raise ConnectionAbortedError("shut down")
            self._connection = connection

    def _let_go(self) -> None:
        with self._lock:
            if self._connection is not None:
                self._connection.close()
                self._connection = None


def _head(url: SplitResult, credentials: tuple[str, str] | None) -> bytes:
    """The request up to its body, whose length is left open."""
    target = (url.path or "/") + (f"?{url.query}" if url.query else "")
    lines = [
        f"POST {target.replace('%', '%%')} HTTP/1.1",
        f"Host: {url.netloc}",
        "User-Agent: penstock",
        "Content-Type: application/x-thrift",
        "Content-Length: %d",
        "Connection: close",
    ]
    if credentials is not None:  # RFC 7617
        lines.append(f"Authorization: Basic {b64encode(':'.join(credentials).encode()).decode()}")
    return "\r\n".join([*lines, "", ""]).encode("ascii")


def _read_status(connection: socket.socket, deadline: float) -> int:
    """The status of the answer, of which nothing else matters (RFC 9112, section 4)."""
    answer = b""
    while len(answer) < len("HTTP/1.1 202"):
        connection.settimeout(_left(deadline))
        more = connection.recv(4096)
        if not more:
            raise ConnectionError("closed the connection without an answer")
        answer += more
    found = re.match(rb"HTTP/1\.\d (\d{3})", answer)
    if found is None:
        raise ConnectionError("answered something that is not HTTP")
    return int(found[1])


def _left(deadline: float) -> float:
    """Seconds until `deadline`; raises `TimeoutError` when there are none."""
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError("no answer within the timeout")
    return left
