"""A connection of its own for sharded publish/subscribe, which notices a silent death."""

from collections import deque
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from typing import Self

import anyio
import anyio.lowlevel

from penstock.engine.errors import StoreRefused, StoreUnavailable
from penstock.engine.transport.address import Address
from penstock.engine.transport.errors import StoreError
from penstock.engine.transport.greeting import open_wire
from penstock.engine.transport.wire import Reply, Wire, pack


class _Request:
    """A SSUBSCRIBE or SUNSUBSCRIBE and how many of its confirmations are still to come."""

    def __init__(self, verb: bytes, count: int) -> None:
        self.verb = verb
        self.missing = count
        self.refusal: StoreError | None = None


class Subscription:
    """Messages from sharded channels, in order, as `(channel, payload)`.

    It neither reconnects nor remembers: after `ConnectionLost`, open another one, subscribe, and
    look at what a message would have told. When nothing was heard for `idle_ping` seconds of
    listening it asks with a PING, and without an answer for `reply_timeout` more seconds the
    connection is lost: a dead peer does not look like a quiet one.
    """

    def __init__(self, wire: Wire, *, idle_ping: float, reply_timeout: float) -> None:
        self._wire = wire
        self._idle_ping = idle_ping
        self._reply_timeout = reply_timeout
        self._messages: deque[tuple[bytes, bytes]] = deque()
        self._requests: deque[_Request] = deque()  # abandoned ones too: their replies still come
        self._reading = anyio.Lock()
        self._writing = anyio.Lock()
        self._pinged = False
        self._silence = 0.0  # seconds spent listening since something was heard

    @classmethod
    @asynccontextmanager
    async def open(cls, address: Address, *, idle_ping: float = 5.0) -> AsyncGenerator[Self]:
        """A subscription without channels yet, closed at the end of the block.

        Raises what `penstock.engine.transport.connect` raises.
        """
        wire = await open_wire(address)
        try:
            yield cls(wire, idle_ping=idle_ping, reply_timeout=address.reply_timeout)
        finally:
            await wire.aclose()

    async def subscribe(self, *channels: str | bytes) -> None:
        """Return when the server has confirmed: what is published from then on arrives.

        Raises `StoreRefused` (an ACL, another slot's server) or `ConnectionLost`. Cancelled, the
        channels may be subscribed or not.
        """
        await self._request("SSUBSCRIBE", channels)

    async def unsubscribe(self, *channels: str | bytes) -> None:
        """Return when the server has confirmed; messages that came before are still received."""
        await self._request("SUNSUBSCRIBE", channels)

    async def receive(self) -> tuple[bytes, bytes]:
        """Wait for the next message: its channel and its payload.

        Cancellation loses no message. Raises `ConnectionLost`.
        """
        await self._until(lambda: bool(self._messages))
        return self._messages.popleft()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> tuple[bytes, bytes]:
        return await self.receive()

    async def _request(self, verb: str, channels: tuple[str | bytes, ...]) -> None:
        if not channels:
            return  # the server would take it for an error or for "all"
        request = _Request(verb.lower().encode(), len(channels))
        await self._send(pack((verb, *channels)), request)
        await self._until(lambda: not request.missing)
        if request.refusal is not None:
            raise request.refusal

    async def _send(self, data: bytes, request: _Request | None = None) -> None:
        async with self._writing:
            # A write cut in the middle would cost the subscription; the bound is for a peer that
            # has stopped reading.
            bound = anyio.current_time() + self._reply_timeout
            with anyio.CancelScope(shield=True, deadline=bound):
                if request is not None:
                    self._requests.append(request)
                await self._wire.send(data, 1)
        if self._wire.lost:
            raise self._wire.error()

    async def _until(self, ready: Callable[[], bool]) -> None:
        """Read until it is so; of several tasks one reads at a time, for all of them."""
        await anyio.lowlevel.checkpoint()  # a flood of messages lets other tasks run
        while not ready():
            async with self._reading:
                if not ready():
                    await self._read()

    async def _read(self) -> None:
        limit = self._reply_timeout if self._pinged else self._idle_ping
        # Only time spent listening counts: one who was busy elsewhere for long, or comes back every
        # second after a timeout of its own, judges the server by the same silence.
        started = anyio.current_time()
        replies: list[Reply] | None = None
        try:
            with anyio.CancelScope(deadline=started + limit - self._silence):
                replies = await self._wire.receive()
        finally:
            self._silence += anyio.current_time() - started
        if replies is not None:
            self._silence, self._pinged = 0.0, False
            for reply in replies:
                await self._sort(reply)
        elif not self._pinged:
            await self._send(pack(("PING",)))
            self._silence, self._pinged = 0.0, True  # not before: the lock can be cancelled
        else:
            await self._give_up(f"no answer to a PING within {self._reply_timeout:g} s")

    async def _sort(self, reply: Reply) -> None:
        match reply:
            case [b"smessage", bytes(channel), bytes(payload)]:
                self._messages.append((channel, payload))
            case [b"pong", *_] | b"PONG":
                pass
            case [bytes(verb), _, int()] if self._requests and verb == self._requests[0].verb:
                self._requests[0].missing -= 1
            case StoreUnavailable() | StoreRefused() if self._requests:
                self._requests[0].missing, self._requests[0].refusal = 0, reply
            case _:  # such as an unasked [sunsubscribe, …]: the slot has moved to another server
                await self._give_up(f"the server sent {reply!r} unasked")
        if self._requests and not self._requests[0].missing:
            self._requests.popleft()

    async def _give_up(self, reason: str) -> None:
        self._wire.fail(reason)
        await self._wire.aclose()
        raise self._wire.error()
