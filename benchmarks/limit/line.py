"""A blocking socket to the server with hiredis on it, and nothing else."""

import socket
from collections import deque
from collections.abc import Sequence
from typing import Any

import hiredis

from penstock.engine.transport import Address
from penstock.engine.transport.wire import pack

_CHUNK = 1 << 20
_PATIENCE = 60.0  # seconds of silence after which something is wrong


class Line:
    """Sends packed commands, reads replies."""

    def __init__(self, url: str) -> None:
        address = Address.parse(url)
        family = socket.AF_UNIX if address.path is not None else socket.AF_INET
        self._socket = socket.socket(family)
        self._socket.settimeout(_PATIENCE)
        self._socket.connect(address.path if address.path is not None else (address.host, address.port))
        if family == socket.AF_INET:
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._reader: Any = hiredis.Reader(notEnoughData=...)

    def close(self) -> None:
        """Hang up."""
        self._socket.close()

    def call(self, *words: str | bytes | int) -> Any:
        """One command, one reply."""
        return self.replies([pack(words)])[0]

    def replies(self, commands: Sequence[bytes], window: int = 1) -> list[Any]:
        """Send them all with at most `window` unanswered; raises the first error among the replies."""
        waiting, found = deque(commands), list[Any]()
        under_way = 0
        while under_way or waiting:
            if waiting and under_way < window:
                batch = [waiting.popleft() for _ in range(min(window - under_way, len(waiting)))]
                self._socket.sendall(b"".join(batch))
                under_way += len(batch)
            came = self._read()
            under_way -= len(came)
            found += came
        for reply in found:
            if isinstance(reply, Exception):
                raise reply
        return found

    def _read(self) -> list[Any]:
        self._reader.feed(self._socket.recv(_CHUNK))
        return list(iter(self._reader.gets, ...))
