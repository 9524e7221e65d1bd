"""Which node of a Cluster holds which slot: learnt from the nodes, corrected by what they answer."""

import math
import random
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import replace

import anyio

from penstock.engine.errors import StoreRefused, StoreUnavailable
from penstock.engine.transport.address import Address
from penstock.engine.transport.addresses import ClusterAddress
from penstock.engine.transport.connection import Connection
from penstock.engine.transport.dialer import Dialer
from penstock.engine.transport.errors import Moved, StoreError, StoreNotReady
from penstock.engine.transport.slots import SLOTS, Layout, Node
from penstock.engine.transport.survey import ask_layout

_PAUSE = 0.2
"""Seconds between two questions for the layout, however many callers are in trouble."""

Dial = Callable[[Address], Awaitable[Connection]]


class Member:
    """One node: its address, and the connection that all calls to it share."""

    def __init__(self, address: Address, dial: Dial) -> None:
        self.address = address
        self.dialer = Dialer(str(address), lambda: dial(address))


class Topology:
    """The nodes of one Cluster and the slots they hold; `dial` opens the connection to a node.

    What it says may be out of date. Whoever finds that out by an answer calls `correct`.
    """

    def __init__(self, address: ClusterAddress, dial: Dial, rng: random.Random) -> None:
        self._address = address
        self._dial = dial
        self._rng = rng
        self._members: dict[Node, Member] = {}
        self._masters: list[Member] = []
        self._owners: list[Member | None] = [None] * SLOTS
        self._asking = anyio.Lock()
        self._asked = 0  # questions for the layout that have ended, one way or the other
        self._last_asked = -math.inf
        self._trouble: StoreError | None = None

    @property
    def up(self) -> bool:
        """Whether any node has a connection that has not failed yet."""
        return any(member.dialer.up for member in self._members.values())

    def known_owner(self, slot: int | None) -> Member | None:
        """Who holds a slot, as far as known; anybody for None."""
        if slot is not None:
            return self._owners[slot]
        masters = [member for member in self._masters if member.dialer.up] or self._masters
        return self._rng.choice(masters) if masters else None

    async def owner(self, slot: int | None) -> Member:
        """The same, learnt if it is not known.

        Raises `StoreUnavailable` where nobody does, or `StoreRefused` where this is no Cluster.
        """
        member = self.known_owner(slot)
        if member is None:
            await self.learn()
            member = self.known_owner(slot)
        if member is None:
            raise StoreNotReady(f"No node of {self._address} holds slot {slot} at present.")
        return member

    async def correct(self, error: StoreUnavailable, asked: Member | None) -> None:
        """Take a lesson from what `asked` answered, or from its silence.

        What cannot be learnt now is left as it is: the next answer teaches again. Does not raise.
        """
        first: Member | None = None
        if isinstance(error, Moved) and asked is not None:
            first = self._member(Node(error.host or asked.address.host, error.port))
            self._owners[error.slot] = first
        if anyio.current_time() - self._last_asked >= _PAUSE:
            with suppress(StoreUnavailable, StoreRefused):  # raised where an owner is not known
                await self.learn(first=first, last=asked)

    async def learn(self, first: Member | None = None, last: Member | None = None) -> None:
        """Ask one node after the other for the layout; who comes meanwhile waits for the same answer.

        Raises `StoreUnavailable` when nobody answers, `StoreRefused` when this is no Cluster.
        """
        asked = self._asked
        async with self._asking:
            if self._asked == asked:
                self._trouble = await self._ask_around(first, last)
                self._asked += 1
                self._last_asked = anyio.current_time()
        if self._trouble is not None:
            raise type(self._trouble)(str(self._trouble))

    async def aclose(self) -> None:
        """Close every connection."""
        for member in self._members.values():
            await member.dialer.aclose()

    async def _ask_around(self, first: Member | None, last: Member | None) -> StoreError | None:
        """Adopt the first layout that is told, or return why nobody tells one."""
        refusal: StoreRefused | None = None
        trouble: StoreError | None = None
        for address in self._whom_to_ask(first, last):
            try:
                await self._adopt(await ask_layout(address))
                return None
            except StoreRefused as error:
                refusal = error
            except StoreUnavailable as error:
                trouble = error
        return refusal or StoreUnavailable(f"No node of {self._address} tells who holds what: {trouble}")

    def _whom_to_ask(self, first: Member | None, last: Member | None) -> list[Address]:
        """Those that will answer soonest in front: connected ones, then the rest, then the seeds."""
        members = list(self._members.values())
        self._rng.shuffle(members)
        members.sort(key=lambda member: (member is not first, not member.dialer.up))
        addresses = [member.address for member in members if member is not last]
        addresses += [seed for seed in self._address.seeds if last is None or seed != last.address]
        addresses += [last.address] if last is not None else []
        return list(dict.fromkeys(addresses))

    async def _adopt(self, layout: Layout) -> None:
        owners: list[Member | None] = [None] * SLOTS
        for first, last, node in layout.ranges:
            owners[first : last + 1] = [self._member(node)] * (last + 1 - first)
        self._owners = owners
        self._masters = list({self._member(node): None for _, _, node in layout.ranges})
        for node in layout.nodes:
            self._member(node)
        for node in self._members.keys() - layout.nodes:
            await self._members.pop(node).dialer.aclose()  # calls in flight are sent again, elsewhere

    def _member(self, node: Node) -> Member:
        member = self._members.get(node)
        if member is None:
            address = replace(self._address.seeds[0], host=node.host, port=node.port)
            member = self._members[node] = Member(address, self._dial)
        return member
