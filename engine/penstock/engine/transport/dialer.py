"""The connection to one server: opened when needed, opened again when lost, by one caller for all."""

import math
import random
from collections.abc import Awaitable, Callable

import anyio

from penstock.engine.errors import StoreUnavailable
from penstock.engine.transport.connection import Connection
from penstock.engine.transport.metrics import RECONNECTS, count_connections

# Seconds. Exponential backoff with full jitter: a server that comes back is not met by everybody
# at once (https://aws.amazon.com/builders-library/timeouts-retries-and-backoff-with-jitter/). The
# longest is short, because whoever holds a lease of two seconds has to find the server within them.
FIRST_DELAY, LONGEST_DELAY = 0.05, 0.5
_STEADY = 10.0  # a connection that held this long starts the backoff afresh


def ignore(*_: object) -> None:
    """Hear of something and do nothing about it."""


class Dialer:
    """Keeps the one connection that many callers share; `dial` opens it and raises `StoreUnavailable`.

    `on_up()` and `on_down(error)` are called when the connection opens and when it is lost; they must
    not raise. `name` is the server's in messages.
    """

    def __init__(
        self,
        name: str,
        dial: Callable[[], Awaitable[Connection]],
        *,
        on_up: Callable[[], None] = ignore,
        on_down: Callable[[StoreUnavailable], None] = ignore,
        rng: random.Random | None = None,
    ) -> None:
        self.connection: Connection | None = None
        """The one in use; it may have been lost without anybody having noticed."""
        self.shut = False
        """Whether `aclose` was called: nothing opens any more."""
        self._name = name
        self._dial = dial
        self._on_up = on_up
        self._on_down = on_down
        self._rng = rng or random.Random()
        self._opening = anyio.Lock()
        self._openings = 0  # in quick succession
        self._last_opening = -math.inf
        self._trouble: StoreUnavailable | None = None
        self._lost = False  # a connection that was good, at some time
        self._counted = False  # the connection, among those that the process has

    @property
    def up(self) -> bool:
        """Whether there is a connection that has not failed yet."""
        return self.connection is not None and not self.connection.closed

    async def open(self, deadline: float) -> Connection:
        """The connection, opened if need be; the one place that opens: others wait for who does.

        Raises `StoreUnavailable`, at the latest at `deadline` on the clock of `anyio.current_time`.
        """
        with anyio.CancelScope(deadline=deadline):
            async with self._opening:
                if self.connection is not None and not self.connection.closed:
                    return self.connection
                if self.connection is not None:
                    await self.drop(self.connection, self.connection.error())
                if self.shut:
                    raise StoreUnavailable(f"The link to {self._name} was closed here.")
                await anyio.sleep(self._delay())
                connection = await self._dial_once()
                if self.shut:  # meanwhile: nobody else will close it
                    await connection.aclose()
                    raise StoreUnavailable(f"The link to {self._name} was closed here.")
                self.connection = connection
                self._count_opened()
                self._on_up()
                return self.connection
        raise StoreUnavailable(str(self._trouble or "nobody opened a connection in time"))

    async def drop(self, connection: Connection, error: StoreUnavailable) -> None:
        """Close a connection that is no use any more; several callers may say so of the same one."""
        if connection is self.connection:  # or another caller was quicker
            self.connection = None
            self._trouble = error
            self._lost = True
            self._count_gone()
            self._on_down(error)
        await connection.aclose()

    async def aclose(self) -> None:
        """Close for good; calls in flight raise `ConnectionLost`."""
        self.shut = True
        self._count_gone()
        if self.connection is not None:
            await self.connection.aclose()

    async def _dial_once(self) -> Connection:
        self._openings += 1
        try:
            return await self._dial()
        except StoreUnavailable as error:
            self._trouble = error
            raise
        finally:
            self._last_opening = anyio.current_time()

    def _count_opened(self) -> None:
        self._counted = True
        count_connections("shared", 1)
        if self._lost:
            RECONNECTS.inc()

    def _count_gone(self) -> None:
        if self._counted:
            self._counted = False
            count_connections("shared", -1)

    def _delay(self) -> float:
        # Not reset by an answer: a read-only server answers reads and refuses writes.
        if anyio.current_time() - self._last_opening > _STEADY:
            self._openings = 0
        if not self._openings:
            return 0.0
        longest = min(LONGEST_DELAY, FIRST_DELAY * 2 ** min(self._openings - 1, 16))
        return self._rng.uniform(0, longest)
