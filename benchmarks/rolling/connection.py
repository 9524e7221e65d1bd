"""One HTTP/1.1 connection, which tells a refusal from an answer that never came."""

import select
from collections.abc import Mapping
from typing import Self

import h11
import msgspec
import trio


class Answer(msgspec.Struct, frozen=True):
    """What came back."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Unanswered(Exception):
    """The connection ended before an answer had come; nobody knows whether the request took effect."""


class Connection:
    """Asks one thing after another of one server, for as long as both sides keep it open."""

    def __init__(self, port: int, stream: trio.SocketStream) -> None:
        self.port = port
        self._stream = stream
        self._protocol = h11.Connection(h11.CLIENT)

    @classmethod
    async def open(cls, port: int) -> Self:
        """Connect to that port of this machine; raises `OSError` where nobody listens."""
        return cls(port, await trio.open_tcp_stream("127.0.0.1", port))

    def close(self) -> None:
        """Close it."""
        self._stream.socket.close()

    @property
    def stale(self) -> bool:
        """Whether the server has closed it, or said that it will: what every client looks at before use."""
        if self._protocol.our_state is not h11.IDLE:
            return True
        # A server says nothing unasked: readable means closed.
        return bool(select.select([self._stream.socket], [], [], 0)[0])

    async def post(self, path: str, headers: Mapping[str, str], body: bytes) -> Answer:
        """Ask, and wait for the answer.

        Raises `Unanswered` where the connection ends first.
        """
        protocol = self._protocol
        sent = {"Host": "rolling", "Content-Length": str(len(body)), **headers}
        request = protocol.send(h11.Request(method="POST", target=path, headers=list(sent.items())))
        try:
            await self._stream.send_all(
                request + protocol.send(h11.Data(body)) + protocol.send(h11.EndOfMessage())
            )
            return await self._answer()
        except (trio.BrokenResourceError, h11.RemoteProtocolError) as error:
            raise Unanswered from error

    async def _answer(self) -> Answer:
        status, headers, body = 0, dict[str, str](), b""
        while True:
            event = self._protocol.next_event()
            if event is h11.NEED_DATA:
                self._protocol.receive_data(await self._stream.receive_some())
            elif isinstance(event, h11.Response):
                status = event.status_code
                headers = {name.decode(): value.decode() for name, value in event.headers}
            elif isinstance(event, h11.Data):
                body += event.data
            elif isinstance(event, h11.EndOfMessage):
                if self._protocol.our_state is h11.DONE and self._protocol.their_state is h11.DONE:
                    self._protocol.start_next_cycle()
                return Answer(status, headers, body)
            elif isinstance(event, h11.ConnectionClosed):
                raise Unanswered
