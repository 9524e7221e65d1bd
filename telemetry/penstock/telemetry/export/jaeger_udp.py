"""Datagrams to the port where Jaeger takes compact Thrift.

Unlike the library's own client this one raises where a datagram did not leave, or met a closed port, and it
knows IPv6.
"""

import os
import socket
import time
from collections.abc import Sequence

MAX_DATAGRAM = 65_000
"""Bytes: `max_packet_size` of Jaeger's receiver, unless it was configured. UDP itself ends at 65,507."""
PAUSE = 0.001
"""Seconds between datagrams. A receiver's buffer holds three of them on Linux (208 KiB): of forty sent at
once to a process that did nothing but read, 3 to 29 arrived; with the pause, all."""


class Datagrams:
    """Sends UDP datagrams; that they left is all that can be known.

    A port where nobody listens is noticed on this machine only. `timeout` is in seconds, for one `send`,
    without the look-up of the name, which is bounded by the resolver.
    """

    limit: int | None = MAX_DATAGRAM

    def __init__(self, host: str, port: int, timeout: float) -> None:
        self.destination = f"udp://{host}:{port}"
        self._host = host
        self._port = port
        self._timeout = timeout
        self._closed = False

    def send(self, messages: Sequence[bytes]) -> None:
        """Send each in a datagram of its own; raises `OSError` unless all of them left."""
        # Looked up each time: agents move. IPv4 first, as in the library: servers on `localhost` mean that.
        addresses = socket.getaddrinfo(self._host, self._port, type=socket.SOCK_DGRAM)
        family, kind, protocol, _, address = min(addresses, key=lambda found: found[0] != socket.AF_INET)
        deadline = time.monotonic() + self._timeout
        with socket.socket(family, kind, protocol) as connection:
            connection.connect(address)  # sends nothing, but makes the kernel say that a port is closed
            for number, message in enumerate(messages):
                if number > 0:
                    time.sleep(PAUSE)
                left = deadline - time.monotonic()
                if self._closed or left <= 0:
                    raise TimeoutError(f"{len(messages) - number} of {len(messages)} datagrams did not leave")
                connection.settimeout(left)
                connection.send(message)
            refused = connection.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if refused:
            raise OSError(refused, os.strerror(refused))

    def close(self) -> None:
        """Send no more; no socket is kept."""
        self._closed = True
