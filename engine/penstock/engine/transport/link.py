"""The way to Redis that the store uses: opened when needed, reopened when lost, commands sent again."""

import math
import random
from collections.abc import Awaitable, Callable, Sequence
from types import TracebackType
from typing import Self, TypeVar

import anyio

from penstock.engine.errors import StoreUnavailable
from penstock.engine.transport.address import Address
from penstock.engine.transport.connection import Connection, Timeout, connect
from penstock.engine.transport.errors import ScriptMissing
from penstock.engine.transport.script import Script
from penstock.engine.transport.wire import Argument, Command, Reply, Traffic

# Seconds. Exponential backoff with full jitter: a server that comes back is not met by everybody
# at once (https://aws.amazon.com/builders-library/timeouts-retries-and-backoff-with-jitter/).
_FIRST_DELAY, _LONGEST_DELAY = 0.05, 2.0
_STEADY = 10.0  # a connection that held this long starts the backoff afresh
_RETRY_FOR = 3.0

Connect = Callable[[Address, Traffic], Awaitable[Connection]]
_Answer = TypeVar("_Answer")


def _ignore(*_: object) -> None:
    pass


class Redis:
    """One multiplexed connection to one server that comes back after every loss.

    Any number of tasks may use it at once. **Send only what is safe to send twice**: a command whose
    reply was lost is sent again until `retry_for` seconds have passed, then `StoreUnavailable` is
    raised; 0 means a single try. An answer that says "not now" (loading, read-only after a failover,
    busy) is treated as a lost connection, because another server may answer at this address next.
    Other error replies are raised at once. A cancelled call may or may not have run.

    `on_up()` and `on_down(error)` are called from within calls, when the connection opens and when
    it is lost; they must not raise. `connects` counts openings. `traffic` counts across them.
    """

    def __init__(
        self,
        address: Address | str,
        *,
        on_up: Callable[[], None] = _ignore,
        on_down: Callable[[StoreUnavailable], None] = _ignore,
        rng: random.Random | None = None,
        connect: Connect = connect,
    ) -> None:
        self.address = Address.parse(address) if isinstance(address, str) else address
        self.connects = 0
        self.traffic = Traffic()
        self._on_up = on_up
        self._on_down = on_down
        self._rng = rng or random.Random()
        self._connect = connect
        self._connection: Connection | None = None
        self._opening = anyio.Lock()
        self._openings = 0  # in quick succession
        self._last_opening = -math.inf
        self._trouble: StoreUnavailable | None = None
        self._closed = False

    @property
    def up(self) -> bool:
        """Whether there is a connection that has not failed yet."""
        return self._connection is not None and not self._connection.closed

    async def execute(
        self, *command: Argument, timeout: Timeout = ..., retry_for: float = _RETRY_FOR
    ) -> Reply:
        """Send one command and return its reply; `timeout` is for each reply, see `Timeout`.

        Raises `StoreRefused` for an error reply, `StoreUnavailable` when there was no answer.
        """

        async def once(connection: Connection) -> Reply:
            return await connection.execute(*command, timeout=timeout)

        return await self._persist(once, retry_for)

    async def pipeline(
        self,
        commands: Sequence[Command],
        *,
        timeout: Timeout = ...,
        retry_for: float = _RETRY_FOR,
    ) -> list[Reply]:
        """Send commands in one write and return their replies; `StoreRefused` objects are among them.

        All are sent again when any answer is lost or "not now". Raises `StoreUnavailable`.
        """

        async def once(connection: Connection) -> list[Reply]:
            replies = await connection.pipeline(commands, timeout=timeout)
            for reply in replies:
                if isinstance(reply, StoreUnavailable):
                    raise reply
            return replies

        return await self._persist(once, retry_for)

    async def script(
        self,
        script: Script,
        keys: Sequence[str | bytes] = (),
        args: Sequence[Argument] = (),
        *,
        timeout: Timeout = ...,
        retry_for: float = _RETRY_FOR,
    ) -> Reply:
        """Run a script by its digest, or by its source where the server does not know it yet.

        Raises as `execute` does.
        """
        operands = (len(keys), *keys, *args)

        async def once(connection: Connection) -> Reply:
            try:
                return await connection.execute("EVALSHA", script.sha1, *operands, timeout=timeout)
            except ScriptMissing:
                return await connection.execute("EVAL", script.source, *operands, timeout=timeout)

        return await self._persist(once, retry_for)

    async def aclose(self) -> None:
        """Close for good; calls in flight and later ones raise `StoreUnavailable`."""
        self._closed = True
        if self._connection is not None:
            await self._connection.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.aclose()

    async def _persist(self, once: Callable[[Connection], Awaitable[_Answer]], retry_for: float) -> _Answer:
        started = anyio.current_time()
        patience = retry_for or self.address.connect_timeout
        while True:
            connection = self._connection
            try:
                if connection is None or connection.closed:
                    connection = await self._open(started + patience)
                return await once(connection)
            except StoreUnavailable as error:
                if connection is not None:
                    await self._drop(connection, error)
                elapsed = anyio.current_time() - started
                if self._closed or elapsed >= retry_for:
                    raise StoreUnavailable(
                        f"{self.address} gave no answer for {elapsed:.1f} s: {error}"
                    ) from error

    async def _open(self, deadline: float) -> Connection:
        """The one place that opens connections: one caller does, the others wait for it."""
        with anyio.CancelScope(deadline=deadline):
            async with self._opening:
                if self._connection is not None and not self._connection.closed:
                    return self._connection
                if self._connection is not None:
                    await self._drop(self._connection, self._connection.error())
                if self._closed:
                    raise StoreUnavailable(f"The link to {self.address} was closed here.")
                await anyio.sleep(self._delay())
                self._connection = await self._dial()
                self.connects += 1
                self._on_up()
                return self._connection
        raise StoreUnavailable(str(self._trouble or "nobody opened a connection in time"))

    async def _dial(self) -> Connection:
        self._openings += 1
        try:
            return await self._connect(self.address, self.traffic)
        except StoreUnavailable as error:
            self._trouble = error
            raise
        finally:
            self._last_opening = anyio.current_time()

    def _delay(self) -> float:
        # Not reset by an answer: a read-only server answers reads and refuses writes.
        if anyio.current_time() - self._last_opening > _STEADY:
            self._openings = 0
        if not self._openings:
            return 0.0
        longest = min(_LONGEST_DELAY, _FIRST_DELAY * 2 ** min(self._openings - 1, 16))
        return self._rng.uniform(0, longest)

    async def _drop(self, connection: Connection, error: StoreUnavailable) -> None:
        if connection is self._connection:  # or another caller was quicker
            self._connection = None
            self._trouble = error
            self._on_down(error)
        await connection.aclose()
