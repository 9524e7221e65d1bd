"""One byte stream with hiredis on it: packed commands out, whole replies in."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NoReturn, Protocol, TypeAlias, cast

import anyio
import hiredis
from anyio.abc import ByteStream

from penstock.engine.transport.errors import ConnectionLost, StoreError, from_reply

Argument: TypeAlias = str | bytes | int | float
Command: TypeAlias = tuple[Argument, ...]
Reply: TypeAlias = "bytes | int | list[Reply] | StoreError | None"
"""RESP2 as hiredis reads it; an error reply is an exception object, at any depth."""


class _Reader(Protocol):
    def feed(self, data: bytes, /) -> None: ...
    def gets(self) -> Reply: ...


_INCOMPLETE = object()
_new_reader = cast(Callable[..., _Reader], hiredis.Reader)
pack = cast(Callable[[Command], bytes], hiredis.pack_command)

# Every way in which a stream says that it is no use any more; ssl.SSLError is an OSError.
_BROKEN = (
    OSError,
    anyio.BrokenResourceError,
    anyio.BusyResourceError,  # a TLS record had to be written while another one was
    anyio.ClosedResourceError,
    anyio.EndOfStream,
    hiredis.ProtocolError,
)


@dataclass(slots=True)
class Traffic:
    """What went over the wire, counted: commands, writes that carried them, bytes."""

    commands_sent: int = 0
    round_trips: int = 0
    bytes_sent: int = 0
    bytes_received: int = 0


class Wire:
    """A stream that is either in step with the server or lost for good.

    One task at a time may send and one may receive. `peer` names the server in messages.
    """

    def __init__(self, stream: ByteStream, peer: str, traffic: Traffic | None = None) -> None:
        self.peer = peer
        self.traffic = traffic or Traffic()
        self._stream = stream
        self._reader = _new_reader(replyError=from_reply, notEnoughData=_INCOMPLETE)
        self.lost = False
        """Whether this wire has failed or was closed; it never recovers."""
        self._reason = "it is not"
        self._cause: BaseException | None = None

    def error(self) -> ConnectionLost:
        """Why the wire was lost, as a new exception: each of many callers raises its own."""
        error = ConnectionLost(f"The connection to {self.peer} was lost: {self._reason}.")
        error.__cause__ = self._cause
        return error

    def fail(self, reason: str, cause: BaseException | None = None) -> None:
        """Declare the wire lost; only the first reason counts. Follow it with `aclose()`."""
        if not self.lost:
            self.lost, self._reason, self._cause = True, reason, cause

    async def send(self, data: bytes, commands: int) -> None:
        """Write that many packed commands in one go.

        An interrupted write loses the wire, since half a command on it would be completed by
        somebody else's bytes: shield it where others depend on the wire. Raises `ConnectionLost`.
        """
        traffic = self.traffic
        traffic.commands_sent += commands
        traffic.round_trips += 1
        traffic.bytes_sent += len(data)
        try:
            await self._stream.send(data)
        except _BROKEN as error:
            await self._lose(_describe(error), error)
        except BaseException:
            self.fail("a write was cut off")
            await self.aclose()
            raise

    async def receive(self) -> list[Reply]:
        """Wait for bytes and return the replies that they complete, perhaps none.

        Cancellation loses nothing: what was not returned is returned next time. Raises
        `ConnectionLost`.
        """
        try:
            data = await self._stream.receive()
            self.traffic.bytes_received += len(data)
            self._reader.feed(data)
            return list(iter(self._reader.gets, _INCOMPLETE))
        except _BROKEN as error:
            await self._lose(_describe(error), error)

    async def aclose(self) -> None:
        """Close at once, without a farewell; a sender or receiver gets `ConnectionLost`."""
        self.fail("it was closed here")
        await anyio.aclose_forcefully(self._stream)

    async def _lose(self, reason: str, cause: BaseException) -> NoReturn:
        self.fail(reason, cause)
        await self.aclose()
        raise self.error()


def _describe(error: BaseException) -> str:
    if isinstance(error, anyio.EndOfStream):
        return "the server closed it"
    return str(error.__cause__ or error) or type(error).__name__
