"""The link to a Cluster: each command goes to the node that holds its key."""

import random
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager

import anyio

from penstock.engine.errors import StoreRefused, StoreUnavailable
from penstock.engine.transport.address import Address
from penstock.engine.transport.addresses import ClusterAddress
from penstock.engine.transport.connection import Connection, connect
from penstock.engine.transport.dialer import FIRST_DELAY, LONGEST_DELAY
from penstock.engine.transport.errors import Moved
from penstock.engine.transport.inboxes import Inboxes
from penstock.engine.transport.metrics import count_error, counted_connection
from penstock.engine.transport.sending import Answer, Sending
from penstock.engine.transport.slots import routing_key, slot_of
from penstock.engine.transport.subscription import Subscription
from penstock.engine.transport.topology import Member, Topology
from penstock.engine.transport.wire import Argument, Traffic

_HOPS = 5
"""Redirections followed at once; more of them mean that the nodes do not agree yet."""


class Cluster(Sending):
    """One multiplexed connection to each node that is needed; see `Link` for what it promises.

    A redirection for good (MOVED) is followed, and the layout learnt anew. One for the time being (ASK)
    is not: the slot is on its way, so the call waits, see docs/adr/0005. A node that is gone makes
    the others be asked who has its slots.
    """

    def __init__(self, address: ClusterAddress | str, *, rng: random.Random | None = None) -> None:
        self.address = ClusterAddress.parse(address) if isinstance(address, str) else address
        self.connects = 0
        self.traffic = Traffic()
        self._rng = rng or random.Random()
        self._topology = Topology(self.address, self._dial, self._rng)
        self._closed = False

    @property
    def up(self) -> bool:
        """Whether any node has a connection that has not failed yet."""
        return self._topology.up

    @asynccontextmanager
    async def reserve(self, key: str) -> AsyncGenerator[Connection]:
        """See `Link.reserve`."""
        async with self._at(slot_of(key)) as member:
            connection = await connect(member.address)
            with counted_connection("reserved"):
                try:
                    yield connection
                finally:
                    await connection.aclose()

    @asynccontextmanager
    async def subscribe(self, *channels: str | bytes) -> AsyncGenerator[Inboxes]:
        """See `Link.subscribe`."""
        slots: dict[int, list[str | bytes]] = {}
        for channel in channels:
            slots.setdefault(slot_of(channel), []).append(channel)
        subscriptions: dict[Member, Subscription] = {}
        async with AsyncExitStack() as stack:
            for slot, inside in slots.items():
                member = await stack.enter_async_context(self._at(slot))
                if member not in subscriptions:
                    opened = Subscription.open(member.address)
                    subscriptions[member] = await stack.enter_async_context(opened)
                    stack.enter_context(counted_connection("subscribed"))
                await subscriptions[member].subscribe(*inside)  # one command may name one slot only
            yield Inboxes(list(subscriptions.values()))

    async def aclose(self) -> None:
        """Close for good; calls in flight and later ones raise `StoreUnavailable`."""
        self._closed = True
        await self._topology.aclose()

    async def _persist(
        self, once: Callable[[Connection], Awaitable[Answer]], retry_for: float, words: Sequence[Argument]
    ) -> Answer:
        key = routing_key(words)
        slot = None if key is None else slot_of(key)
        started = anyio.current_time()
        deadline = started + (retry_for or self.address.connect_timeout)
        hops, failures = 0, 0
        while True:
            try:
                return await self._send(once, slot, deadline)
            except Moved as error:
                trouble: StoreUnavailable = error
                hops += 1
                if hops <= _HOPS:
                    continue
            except StoreUnavailable as error:
                trouble = error
            elapsed = anyio.current_time() - started
            if self._closed or elapsed >= retry_for:
                raise StoreUnavailable(
                    f"{self.address} gave no answer for {elapsed:.1f} s: {trouble}"
                ) from trouble
            failures += 1
            await self._pause(failures, deadline)

    async def _send(
        self, once: Callable[[Connection], Awaitable[Answer]], slot: int | None, deadline: float
    ) -> Answer:
        """One try; what went wrong has taught the topology before it is raised."""
        member = self._topology.known_owner(slot)
        try:
            if member is None:
                member = await self._owner(slot, deadline)
            connection = member.dialer.connection
            if connection is None or connection.closed:
                connection = await member.dialer.open(deadline)
            return await once(connection)
        except StoreRefused as error:
            count_error(error)
            raise
        except StoreUnavailable as error:
            count_error(error)
            with anyio.CancelScope(deadline=deadline):
                await self._topology.correct(error, member)
            raise

    async def _owner(self, slot: int | None, deadline: float) -> Member:
        if self._closed:
            raise StoreUnavailable(f"The link to {self.address} was closed here.")
        with anyio.CancelScope(deadline=deadline):
            return await self._topology.owner(slot)
        raise StoreUnavailable("nobody told in time who holds what")

    async def _pause(self, failures: int, deadline: float) -> None:
        longest = min(LONGEST_DELAY, FIRST_DELAY * 2 ** min(failures, 16))
        left = max(0.0, deadline - anyio.current_time())
        await anyio.sleep(min(self._rng.uniform(0, longest), left))

    @asynccontextmanager
    async def _at(self, slot: int) -> AsyncGenerator[Member]:
        """The node of a slot, for as long as it is: `StoreUnavailable` from within is a lesson too."""
        member: Member | None = None
        patience = self.address.connect_timeout
        try:
            member = await self._owner(slot, anyio.current_time() + patience)
            yield member
        except StoreUnavailable as error:
            if not isinstance(error, Moved) or error.slot == slot:  # else it is another block's lesson
                with anyio.move_on_after(patience):
                    await self._topology.correct(error, member)
            raise

    async def _dial(self, address: Address) -> Connection:
        connection = await connect(address, self.traffic)
        self.connects += 1
        return connection
