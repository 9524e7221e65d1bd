"""What the store needs of Redis, however many servers there are, and the one place that chooses the way."""

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from typing import Protocol

from penstock.engine.transport.addresses import SentinelAddress
from penstock.engine.transport.cluster import Cluster
from penstock.engine.transport.connection import Connection, Timeout
from penstock.engine.transport.script import Script
from penstock.engine.transport.sending import RETRY_FOR
from penstock.engine.transport.single import Redis
from penstock.engine.transport.wire import Argument, Command, Reply, Traffic


class Inbox(Protocol):
    """Messages from channels, in order."""

    async def receive(self) -> tuple[bytes, bytes]:
        """Wait for the next message: its channel and its payload.

        Cancellation loses no message. Raises `StoreUnavailable` once messages may have been missed:
        subscribe again then.
        """
        ...


class Link(Protocol):
    """A way to Redis that comes back after every loss; any number of tasks may use it at once.

    **Send only what is safe to send twice**: what was not answered, or answered with "not now" (a
    failover, a slot that moves, a server that loads), is sent again until `retry_for` seconds have
    passed, then `StoreUnavailable` is raised; 0 means a single try. Other error replies raise
    `StoreRefused` at once. A cancelled call may or may not have run. `timeout` is for each reply.

    Where there are several servers, a command goes to the one that holds its key. That is the second
    word of a command (`GET key`), the first of its keys for `EVAL` and `EVALSHA`; a command without
    one goes to any server. Whatever has its key elsewhere (`XREAD`) needs `reserve`.
    """

    @property
    def address(self) -> object:
        """Where it leads; `str` of it shows no password."""
        ...

    @property
    def traffic(self) -> Traffic:
        """What went over it so far, reserved connections and subscriptions not counted."""
        ...

    @property
    def connects(self) -> int:
        """How many connections it has opened so far, reserved ones and subscriptions not counted."""
        ...

    @property
    def up(self) -> bool:
        """Whether there is a connection that has not failed yet."""
        ...

    async def execute(
        self, *command: Argument, timeout: Timeout = ..., retry_for: float = RETRY_FOR
    ) -> Reply:
        """Send one command and return its reply."""
        ...

    async def pipeline(
        self, commands: Sequence[Command], *, timeout: Timeout = ..., retry_for: float = RETRY_FOR
    ) -> list[Reply]:
        """Send commands in one write and return their replies; `StoreRefused` objects are among them.

        All go where the first one belongs, and all are sent again when any answer is "not now".
        """
        ...

    async def script(
        self,
        script: Script,
        keys: Sequence[str | bytes] = (),
        args: Sequence[Argument] = (),
        *,
        timeout: Timeout = ...,
        retry_for: float = RETRY_FOR,
    ) -> Reply:
        """Run a script by its digest, or by its source where the server does not know it yet."""
        ...

    def reserve(self, key: str) -> AbstractAsyncContextManager[Connection]:
        """A connection of one's own to the server that holds `key`: for what blocks.

        It neither comes back nor sends again: raises `StoreUnavailable` once it is lost or `key` has
        moved; reserve another one then. Raises `StoreRefused` as every link does. Closed at the end of
        the block.
        """
        ...

    def subscribe(self, *channels: str | bytes) -> AbstractAsyncContextManager[Inbox]:
        """Sharded channels, heard from the moment the block is entered until its end.

        Raises what `reserve` raises.
        """
        ...

    async def aclose(self) -> None:
        """Close for good; calls in flight and later ones raise `StoreUnavailable`."""
        ...


def open_link(url: str) -> Link:
    """The link that `url` names; nothing is connected yet.

    See `penstock.engine.transport.addresses` for Sentinel and Cluster, `Address` for a single server.
    Raises `ConfigurationError` for a URL that cannot be used.
    """
    match url.partition("://")[0]:
        case "redis+sentinel" | "rediss+sentinel":
            return Redis(SentinelAddress.parse(url))
        case "redis+cluster" | "rediss+cluster":
            return Cluster(url)
        case _:
            return Redis(url)
