"""Between a supervisor and a worker process: one socket, which is the child's standard input.

Down go the settings, then orders; up come reports and, at the end, a complaint. Each message is its
length (four bytes, big-endian) and msgpack. That the socket ends says that the other side has ended,
however it did, so neither has to be told by signals, which a terminal sends to both of us. Not in the
arguments, because a Redis URL holds a password and everybody may read those.
"""

import os
import socket
import struct
from pathlib import Path
from typing import Any, Literal

import msgspec
import trio

from penstock.deploy.settings import Settings

_LENGTH = struct.Struct(">I")
_COMPLAIN_WITHIN = 1.0  # seconds; the supervisor reads all the time
_LONGEST = 64 * 1024 * 1024  # bytes; a full set of series takes about one million

Order = Literal["report", "drain", "stop"]


class Birth(msgspec.Struct, frozen=True):
    """What a worker process is told first."""

    settings: Settings
    index: int
    debug: bool


class Report(msgspec.Struct, frozen=True, tag=True):
    """How a worker process is, and what it has counted: telemetry's `snapshot.Piece`s, packed."""

    ready: bool
    pieces: list[msgspec.Raw]


class Complaint(msgspec.Struct, frozen=True, tag=True):
    """Why a worker process ends, in one line."""

    message: str


def pack(message: Any) -> bytes:
    """One message as it is sent."""
    body = msgspec.msgpack.encode(message, enc_hook=str)  # a `Path`
    return _LENGTH.pack(len(body)) + body


class Lifeline:
    """One end of the socket, for Trio. Any number of tasks may send, one receives."""

    def __init__(self, end: socket.socket) -> None:
        self._stream = trio.SocketStream(trio.socket.from_stdlib_socket(end))
        self._sending = trio.Lock()
        self._received = bytearray()

    async def send(self, message: Birth | Order | Report) -> None:
        """Send; nothing happens where the other side has ended. Not to be cancelled in the middle."""
        try:
            async with self._sending:
                await self._stream.send_all(pack(message))
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            return  # whoever receives here is told

    async def receive(self) -> bytes | None:
        """The next message's body; None once the other side has ended."""
        head = await self._exactly(_LENGTH.size)
        if head is None:
            return None
        [length] = _LENGTH.unpack(head)
        return await self._exactly(length) if length <= _LONGEST else None

    def close(self) -> None:
        """Close this end; the other one hears of it."""
        self._stream.socket.close()

    async def _exactly(self, count: int) -> bytes | None:
        while len(self._received) < count:
            try:
                more = await self._stream.receive_some()
            except (trio.BrokenResourceError, trio.ClosedResourceError):
                return None
            if not more:
                return None
            self._received += more
        taken = bytes(self._received[:count])
        del self._received[:count]
        return taken


def adopt_standard_input() -> socket.socket:
    """The child's end, taken out of the way: handlers find an empty standard input."""
    end = socket.socket(fileno=os.dup(0))
    with open(os.devnull, "rb") as nothing:
        os.dup2(nothing.fileno(), 0)
    return end


def receive_birth(end: socket.socket) -> Birth:
    """Wait for the settings; blocks. Raises `EOFError` when the supervisor has ended."""
    [length] = _LENGTH.unpack(_read(end, _LENGTH.size))
    return msgspec.msgpack.decode(_read(end, length), type=Birth, dec_hook=_path)


def complain(end: socket.socket, message: str) -> bool:
    """Say why this process ends; blocks for a moment at most. False where nobody hears it."""
    end.settimeout(_COMPLAIN_WITHIN)
    try:
        end.sendall(pack(Complaint(message)))
    except OSError:
        return False
    return True


def _read(end: socket.socket, count: int) -> bytes:
    data = end.recv(count, socket.MSG_WAITALL)  # and not a byte more: orders may follow
    if len(data) < count:
        raise EOFError("the supervisor has ended")
    return data


def _path(kind: type, value: Any) -> Any:
    if kind is Path:
        return Path(value)
    raise NotImplementedError(f"settings hold no {kind}")
