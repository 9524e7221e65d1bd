"""A Redis server in memory: a stream that answers what is written to it."""

from collections.abc import Callable

import anyio
import anyio.lowlevel
import hiredis
from anyio.abc import ByteStream

from penstock.engine.transport.connection import Connection
from penstock.engine.transport.wire import Wire

Answer = Callable[[list[bytes]], bytes]
Cut = Callable[[int], int]


def bulk(value: bytes) -> bytes:
    return b"$%d\r\n%b\r\n" % (len(value), value)


def array(*items: bytes) -> bytes:
    return b"*%d\r\n%b" % (len(items), b"".join(items))


def echo(command: list[bytes]) -> bytes:
    return bulk(command[-1])


def silence(_command: list[bytes]) -> bytes:
    return b""


class FakeStream(ByteStream):
    """`answer` gives the bytes for a command; `cut` says how many of those waiting arrive at once."""

    def __init__(self, answer: Answer = echo, cut: Cut = lambda size: size) -> None:
        self.answer = answer
        self.cut = cut
        self.commands: list[list[bytes]] = []
        self.writes = 0
        self.closed = False
        self._parser = hiredis.Reader(notEnoughData=None)
        self._waiting = b""
        self._changed = anyio.Event()
        self._receiving = anyio.ResourceGuard("reading from")  # as real streams have

    def push(self, data: bytes) -> None:
        """Let the server send something."""
        self._waiting += data
        self._changed.set()

    async def send(self, item: bytes) -> None:
        await anyio.lowlevel.checkpoint()
        if self.closed:
            raise anyio.ClosedResourceError
        self.writes += 1
        self._parser.feed(item)
        while (command := self._parser.gets()) is not None:
            self.commands.append(command)
            self.push(self.answer(command))
        await anyio.lowlevel.checkpoint()

    async def receive(self, max_bytes: int = 65536) -> bytes:
        with self._receiving:
            await anyio.lowlevel.checkpoint()
            while not self._waiting and not self.closed:
                self._changed = anyio.Event()
                await self._changed.wait()
        if self.closed:
            raise anyio.ClosedResourceError
        size = max(1, self.cut(len(self._waiting)))
        data, self._waiting = self._waiting[:size], self._waiting[size:]
        return data

    async def send_eof(self) -> None:
        raise NotImplementedError

    async def aclose(self) -> None:
        self.closed = True
        self._changed.set()
        await anyio.lowlevel.checkpoint()


def connection_on(stream: FakeStream, *, reply_timeout: float = 5.0) -> Connection:
    return Connection(Wire(stream, "fake"), reply_timeout=reply_timeout)
