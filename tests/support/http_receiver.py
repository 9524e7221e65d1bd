"""An HTTP server for tests: a Trio task on a loopback port that answers what it is told.

Beside polite answers it can send part of one and then nothing, or one without end, which no framework would.
"""

import json
import ssl
from collections import deque
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, NamedTuple

import h11
import trio

_TLS = Path(__file__).parent / "tls"
CERTIFICATE = _TLS / "localhost.pem"
"""What a client must trust to speak to a receiver with TLS."""


class Asked(NamedTuple):
    """A request that came."""

    method: str
    target: str
    headers: dict[str, str]
    """By lower-case names."""
    body: bytes

    def json(self) -> Any:
        """Its body."""
        return json.loads(self.body)


class Answer(NamedTuple):
    """What a request is answered; `stuck` sends no further byte after `body` and keeps the connection."""

    status: int = 200
    headers: Mapping[str, str] = {}
    body: bytes = b"{}"
    stuck: bool = False
    endless: bool = False
    """Sends `body` again and again, as long as somebody reads."""


class HttpReceiver:
    """Keeps every request; answers with `answers` in order, and then with `answer`."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.asked: list[Asked] = []
        self.answers: deque[Answer] = deque()
        self.answer = Answer()
        self.connections = 0

    async def serve(self, stream: trio.abc.Stream) -> None:
        """One connection, request after request."""
        self.connections += 1
        connection = h11.Connection(h11.SERVER)
        try:
            while await self._exchange(connection, stream):
                connection.start_next_cycle()
        except (trio.BrokenResourceError, trio.ClosedResourceError, h11.ProtocolError):
            pass  # the client has gone
        finally:
            with trio.move_on_after(0.1, shield=True):  # TLS says goodbye, to a client that may not listen
                await stream.aclose()

    async def _exchange(self, connection: h11.Connection, stream: trio.abc.Stream) -> bool:
        request = await _next(connection, stream)
        if not isinstance(request, h11.Request):
            return False
        body = b""
        while isinstance(event := await _next(connection, stream), h11.Data):
            body += bytes(event.data)
        headers = {name.decode().lower(): value.decode() for name, value in request.headers}
        self.asked.append(Asked(request.method.decode(), request.target.decode(), headers, body))
        answer = self.answers.popleft() if self.answers else self.answer
        await _reply(connection, stream, answer)
        return connection.our_state is h11.DONE and connection.their_state is h11.DONE


async def _next(connection: h11.Connection, stream: trio.abc.Stream) -> Any:
    while (event := connection.next_event()) is h11.NEED_DATA:
        connection.receive_data(bytes(await stream.receive_some(65_536)))
    return event


async def _reply(connection: h11.Connection, stream: trio.abc.Stream, answer: Answer) -> None:
    headers = dict(answer.headers)
    if answer.stuck or answer.endless:
        headers["Transfer-Encoding"] = "chunked"
    elif answer.status not in (204, 304):
        headers["Content-Length"] = str(len(answer.body))
    pairs = [(name.encode(), value.encode()) for name, value in headers.items()]
    await _send(connection, stream, h11.Response(status_code=answer.status, headers=pairs))
    await _send(connection, stream, h11.Data(data=answer.body))
    while answer.endless:
        await _send(connection, stream, h11.Data(data=answer.body))
    if answer.stuck:
        await stream.receive_some(1)  # until the client gives up
        return
    await _send(connection, stream, h11.EndOfMessage())


async def _send(connection: h11.Connection, stream: trio.abc.Stream, event: Any) -> None:
    data = connection.send(event)
    if data:
        await stream.send_all(data)


@asynccontextmanager
async def http_receiver(*, tls: bool = False) -> AsyncGenerator[HttpReceiver]:
    """A running receiver."""
    async with trio.open_nursery() as nursery:
        [plain] = await trio.open_tcp_listeners(0, host="127.0.0.1")
        listener: trio.abc.Listener[Any] = plain
        if tls:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(CERTIFICATE, _TLS / "localhost.key")
            listener = trio.SSLListener(plain, context, https_compatible=True)
        receiver = HttpReceiver(f"http{'s' if tls else ''}://127.0.0.1:{plain.socket.getsockname()[1]}")
        nursery.start_soon(trio.serve_listeners, receiver.serve, [listener])
        yield receiver
        nursery.cancel_scope.cancel()
