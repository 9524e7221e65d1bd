"""The link to one server at a time: the one at an address, or the master that Sentinels name."""

import random
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager

import anyio

from penstock.engine.errors import StoreRefused, StoreUnavailable
from penstock.engine.transport.address import Address
from penstock.engine.transport.addresses import SentinelAddress
from penstock.engine.transport.connection import Connection, connect
from penstock.engine.transport.dialer import Dialer, ignore
from penstock.engine.transport.errors import Moved
from penstock.engine.transport.metrics import count_error, counted_connection
from penstock.engine.transport.sending import Answer, Sending
from penstock.engine.transport.sentinel import Sentinels
from penstock.engine.transport.subscription import Subscription
from penstock.engine.transport.wire import Argument, Traffic

Connect = Callable[[Address, Traffic], Awaitable[Connection]]


class Redis(Sending):
    """One multiplexed connection to one server that comes back after every loss.

    Any number of tasks may use it at once. **Send only what is safe to send twice**: a command whose
    reply was lost is sent again until `retry_for` seconds have passed, then `StoreUnavailable` is
    raised; 0 means a single try. An answer that says "not now" (loading, read-only after a failover,
    busy) is treated as a lost connection, because another server may answer at this address next;
    Sentinels are asked anew. Other error replies are raised at once. A cancelled call may or may not
    have run.

    `on_up()` and `on_down(error)` are called from within calls, when the connection opens and when
    it is lost; they must not raise. `connects` counts openings. `traffic` counts across them.
    """

    def __init__(
        self,
        address: Address | SentinelAddress | str,
        *,
        on_up: Callable[[], None] = ignore,
        on_down: Callable[[StoreUnavailable], None] = ignore,
        rng: random.Random | None = None,
        connect: Connect = connect,
    ) -> None:
        self.address = Address.parse(address) if isinstance(address, str) else address
        self.connects = 0
        self.traffic = Traffic()
        self._where = self.address if isinstance(self.address, Address) else Sentinels(self.address)
        self._connect = connect
        self._on_up = on_up
        self._dialer = Dialer(str(self.address), self._dial, on_up=self._opened, on_down=on_down, rng=rng)

    @property
    def up(self) -> bool:
        """Whether there is a connection that has not failed yet."""
        return self._dialer.up

    @asynccontextmanager
    async def reserve(self, key: str) -> AsyncGenerator[Connection]:
        """See `Link.reserve`."""
        connection = await connect(await self._server())
        with counted_connection("reserved"):
            try:
                yield connection
            finally:
                await connection.aclose()

    @asynccontextmanager
    async def subscribe(self, *channels: str | bytes) -> AsyncGenerator[Subscription]:
        """See `Link.subscribe`."""
        async with Subscription.open(await self._server()) as subscription:
            with counted_connection("subscribed"):
                await subscription.subscribe(*channels)
                yield subscription

    async def aclose(self) -> None:
        """Close for good; calls in flight and later ones raise `StoreUnavailable`."""
        await self._dialer.aclose()

    async def _persist(
        self, once: Callable[[Connection], Awaitable[Answer]], retry_for: float, words: Sequence[Argument]
    ) -> Answer:
        started = anyio.current_time()
        patience = retry_for or self.address.connect_timeout
        while True:
            connection = self._dialer.connection
            try:
                if connection is None or connection.closed:
                    connection = await self._dialer.open(started + patience)
                return await once(connection)
            except StoreRefused as error:
                count_error(error)
                raise
            except Moved as error:
                count_error(error)
                raise StoreRefused(
                    f"{self.address} is a node of a Cluster and does not hold this key ({error}): address it "
                    "with redis+cluster://."
                ) from error
            except StoreUnavailable as error:
                count_error(error)
                if connection is not None:
                    await self._dialer.drop(connection, error)
                elapsed = anyio.current_time() - started
                if self._dialer.shut or elapsed >= retry_for:
                    raise StoreUnavailable(
                        f"{self.address} gave no answer for {elapsed:.1f} s: {error}"
                    ) from error

    async def _server(self) -> Address:
        """The server to go to now."""
        return self._where if isinstance(self._where, Address) else await self._where.find()

    async def _dial(self) -> Connection:
        return await self._connect(await self._server(), self.traffic)

    def _opened(self) -> None:
        self.connects += 1
        self._on_up()
