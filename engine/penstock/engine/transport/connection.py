"""Many callers on one stream: commands leave in order, replies come back in order.

There is no background task. Two roles are played by the callers themselves: at most one *sends*
what everybody has left in `_unsent`, at most one *reads* and hands out replies to `_sent`. The
others sleep. Whoever leaves a role wakes one sleeper to take it, so while anybody waits for a
reply, somebody reads.
"""

import math
from collections import deque
from collections.abc import Iterable
from itertools import chain
from types import EllipsisType

import anyio
import anyio.lowlevel

from penstock.engine.transport.address import Address
from penstock.engine.transport.errors import ConnectionLost, StoreError
from penstock.engine.transport.greeting import open_wire
from penstock.engine.transport.wire import Argument, Command, Reply, Traffic, Wire, pack

Timeout = float | None | EllipsisType
"""Seconds; `None` waits for ever, `...` takes the address's `reply_timeout`."""


class _Call:
    """One caller's commands and the replies to them; `bell` is there while it sleeps."""

    __slots__ = ("bell", "commands", "count", "missing", "replies", "sent")

    def __init__(self, commands: bytes, count: int) -> None:
        self.commands = commands
        self.count = count
        self.missing = count
        self.replies: list[Reply] = []
        self.sent = False
        self.bell: anyio.Event | None = None


class Connection:
    """A multiplexed connection: any number of tasks may call it at the same time.

    A call that is cancelled before its commands leave was never sent. Cancelled later, its commands
    run and their replies are thrown away when they come; no other call notices. A reply that does
    not come in time loses the connection, because everything behind it waits as well. A blocking
    command holds up all later callers: give it a connection of its own, and close that when the
    caller is cancelled.

    `reply_timeout` is seconds.
    """

    def __init__(self, wire: Wire, *, reply_timeout: float) -> None:
        self._wire = wire
        self._reply_timeout = reply_timeout
        self._unsent: list[_Call] = []
        self._sent: deque[_Call] = deque()  # abandoned ones too: their replies still come
        self._sending = False
        self._reading = False
        self._heir: _Call | None = None  # woken to take a role, not yet running

    @property
    def closed(self) -> bool:
        """Whether it was lost or closed; every further call raises `ConnectionLost`."""
        return self._wire.lost

    @property
    def traffic(self) -> Traffic:
        """What went over this connection so far."""
        return self._wire.traffic

    async def execute(self, *command: Argument, timeout: Timeout = ...) -> Reply:
        """Send one command and return its reply.

        Raises what the server answered (see `penstock.engine.transport.errors`), or
        `ConnectionLost`, after which nobody knows whether the command ran.
        """
        (reply,) = await self._exchange(pack(command), 1, timeout)
        if isinstance(reply, StoreError):
            raise reply
        return reply

    async def pipeline(self, commands: Iterable[Command], *, timeout: Timeout = ...) -> list[Reply]:
        """Send commands in one write and return their replies; error replies are among them.

        They run in order, but other callers' commands may run in between. Raises `ConnectionLost`.
        """
        packed = [pack(command) for command in commands]
        return await self._exchange(b"".join(packed), len(packed), timeout)

    async def aclose(self) -> None:
        """Close at once; calls in flight raise `ConnectionLost`."""
        self._wire.fail("it was closed here")
        self._hand_over()
        await self._wire.aclose()

    def error(self) -> ConnectionLost:
        """Why the connection was lost."""
        return self._wire.error()

    async def _exchange(self, commands: bytes, count: int, timeout: Timeout) -> list[Reply]:
        await anyio.lowlevel.checkpoint_if_cancelled()  # a cancelled caller sends nothing
        seconds = self._reply_timeout if timeout is ... else timeout
        deadline = math.inf if seconds is None else anyio.current_time() + seconds
        call = _Call(commands, count)
        self._unsent.append(call)
        with anyio.CancelScope(deadline=deadline) as patience:
            await self._converse(call, patience)
        if not call.missing:
            return call.replies
        if patience.cancelled_caught:
            self._wire.fail(f"no reply within {seconds or self._reply_timeout:g} s")
            self._hand_over()
            await self._wire.aclose()
        raise self._wire.error()

    async def _converse(self, call: _Call, patience: anyio.CancelScope) -> None:
        """Play whatever role is free until the call is answered or the wire lost."""
        try:
            while call.missing and not self._wire.lost:
                if self._unsent and not self._sending:
                    await self._send(patience)
                elif call.sent and not self._reading:  # or its commands might wait for the reader
                    await self._read()
                else:
                    await self._sleep(call)
        except ConnectionLost:
            pass  # the caller looks at the wire, for its call may have been answered before
        finally:
            if not call.sent and not self._wire.lost:
                self._unsent.remove(call)
            self._hand_over()

    async def _send(self, patience: anyio.CancelScope) -> None:
        batch, self._unsent = self._unsent, []
        self._sending = True
        for call in batch:
            call.sent = True
        self._sent.extend(batch)
        self._hand_over()  # a slow write must not keep replies from those who wait for them
        # A cancelled caller still finishes its write: cut in the middle, it would cost everybody
        # the connection. The caller's timeout bounds it; one that waits for ever borrows a bound
        # against a server that has stopped reading.
        deadline = patience.deadline
        if deadline == math.inf:
            patience.deadline = anyio.current_time() + self._reply_timeout
        patience.shield = True
        try:
            await self._wire.send(
                b"".join([call.commands for call in batch]), sum([call.count for call in batch])
            )
        finally:
            patience.shield = False
            if deadline == math.inf:
                patience.deadline = deadline
            self._sending = False

    async def _read(self) -> None:
        self._reading = True
        try:
            replies = await self._wire.receive()
        finally:
            self._reading = False
        for reply in replies:
            if not self._sent:
                self._wire.fail("the server sent a reply that nobody asked for")
                await self._wire.aclose()
                return
            call = self._sent[0]
            call.replies.append(reply)
            call.missing -= 1
            if not call.missing:
                self._sent.popleft()
                if call.bell is not None:
                    call.bell.set()

    async def _sleep(self, call: _Call) -> None:
        call.bell = anyio.Event()
        try:
            await call.bell.wait()
        finally:
            call.bell = None
            if self._heir is call:
                self._heir = None

    def _hand_over(self) -> None:
        """Wake one sleeper if a role with work is free, everybody if the wire is lost."""
        if self._wire.lost:
            for call in chain(self._sent, self._unsent):
                if call.bell is not None:
                    call.bell.set()
            self._sent.clear()
            self._unsent.clear()
            return
        if self._heir is not None:
            return  # it takes a role itself or comes here again
        if self._unsent and not self._sending:
            able: Iterable[_Call] = chain(self._sent, self._unsent)
        elif self._sent and not self._reading:
            able = self._sent
        else:
            return
        self._heir = next((call for call in able if call.bell is not None), None)
        if self._heir is not None and self._heir.bell is not None:
            self._heir.bell.set()


async def connect(address: Address, traffic: Traffic | None = None) -> Connection:
    """Open, greet and return a connection; `traffic` goes on counting where it stands.

    Raises `StoreUnavailable` when the server cannot be reached or cannot serve, `StoreRefused` when
    it rejects the login or database, `ConfigurationError` for unusable TLS options.
    """
    wire = await open_wire(address, traffic)
    return Connection(wire, reply_timeout=address.reply_timeout)
