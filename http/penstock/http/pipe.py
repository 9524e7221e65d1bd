"""Bytes between two tasks, bounded, and a request body made of it.

Quart takes a body from the server as fast as it comes and keeps all of it. Here the server is made to
wait while nobody reads: its own queue fills, it leaves the socket alone, and TCP slows the client.
"""

from collections.abc import Generator
from typing import TYPE_CHECKING, Any, Self, cast

import trio
from quart import Request, request
from quart.wrappers.request import Body
from quart_trio.asgi import TrioASGIHTTPConnection
from quart_trio.wrappers.request import TrioRequest

if TYPE_CHECKING:
    from hypercorn.typing import ASGIReceiveCallable, ASGISendCallable

HIGH_WATER = 256 * 1024
"""Unread bytes of one body beyond which the server waits: four of Hypercorn's reads of 64 KiB."""
LINGER = 2.0
"""Seconds for which the unread rest of a body is taken and dropped before its answer is sent. Closing a
socket on unread data resets it, and the client loses the answer that tells it why (RFC 9112 §9.6)."""
STALL = 90.0
"""Seconds a full pipe may stand still before its request is given up. It is more than any limit a
reader sets itself, and the way out where server and client wait for each other."""


class Pipe:
    """One writer, one reader; the writer calls `room()` and so keeps about `bound` bytes in it at most."""

    def __init__(self, bound: int) -> None:
        self._bound = bound
        self._bytes = bytearray()
        self._closed = False
        self._abandoned = False
        self._change = trio.Event()

    def append(self, data: bytes) -> None:
        """Add bytes, whether there is room or not."""
        if data and not self._abandoned:
            self._bytes += data
            self._changed()

    async def room(self) -> None:
        """Wait until less than `bound` bytes are unread, or nobody will read them."""
        while len(self._bytes) >= self._bound:
            await self._change.wait()

    def close(self) -> None:
        """Say that nothing will follow."""
        self._closed = True
        self._changed()

    def abandon(self) -> None:
        """Say that nobody reads any more: what is here and what comes is dropped."""
        self._abandoned = True
        self.clear()

    def clear(self) -> None:
        """Drop what is unread."""
        self._bytes.clear()
        self._changed()

    async def closed(self) -> None:
        """Wait until the writer has closed."""
        while not self._closed:
            await self._change.wait()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        """Everything that has come since the last call; waits for something to come."""
        while not self._bytes:
            if self._closed or self._abandoned:
                raise StopAsyncIteration
            await self._change.wait()
        data = bytes(self._bytes)
        self.clear()
        return data

    def _changed(self) -> None:
        self._change.set()
        self._change = trio.Event()


class BoundedBody(Pipe, Body):
    """A request body of which at most `HIGH_WATER` bytes, and what the server reads at once, are kept."""

    def __init__(self, expected_content_length: int | None, max_content_length: int | None) -> None:
        super().__init__(HIGH_WATER)  # limits differ by route: see `schemas.read_body`

    def __await__(self) -> Generator[Any, None, bytes]:
        return self._whole().__await__()

    async def _whole(self) -> bytes:
        return b"".join([data async for data in self])

    def set_complete(self) -> None:
        """Quart's word for `close`."""
        self.close()

    async def finish(self) -> None:
        """Drop the unread rest, and wait for its end at most `LINGER` seconds."""
        self.abandon()
        if not self._closed:
            with trio.move_on_after(LINGER):
                await self.closed()


class BoundedRequest(TrioRequest):
    """A request with a `BoundedBody`."""

    body: BoundedBody
    body_class = BoundedBody  # type: ignore[assignment]  # a Body, not a TrioBody


def current_request() -> BoundedRequest:
    """The request that this task answers."""
    return cast(BoundedRequest, request)


def scope_of(of: Request) -> dict[str, Any]:
    """The ASGI scope of a request, where this app and the middleware around it leave word for each other."""
    return cast(dict[str, Any], of.scope)


class BoundedConnection(TrioASGIHTTPConnection):
    """Takes no more of a body from the server than its reader keeps up with.

    And, unlike quart_trio's, leaves the sender of an answer alone when the server says `http.disconnect`
    because the answer is complete: cancelled there, Hypercorn neither closes a connection that is to be
    closed nor starts the idle timer of one that is kept.
    """

    _answered = False

    async def handle_messages(  # type: ignore[override]  # quart_trio's has the nursery as well
        self, nursery: trio.Nursery, request: Request, receive: "ASGIReceiveCallable"
    ) -> None:
        """Feed the body until the client disconnects, then end the request."""
        body: BoundedBody = request.body  # type: ignore[assignment]
        with trio.CancelScope() as patience:
            while True:
                message = await receive()
                if message["type"] != "http.request":
                    break
                body.append(message.get("body", b""))
                if not message.get("more_body", False):
                    body.set_complete()
                patience.deadline = trio.current_time() + STALL
                await body.room()
                patience.deadline = float("inf")
        if not self._answered:
            nursery.cancel_scope.cancel()

    async def _send_response(self, send: "ASGISendCallable", response: Any) -> None:
        async def noting(message: Any) -> None:
            if message["type"] == "http.response.body" and not message["more_body"]:
                self._answered = True
            await send(message)

        await super()._send_response(noting, response)
