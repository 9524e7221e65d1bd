"""Where the master is: Sentinels are asked, and what they name is asked whether it is one."""

from dataclasses import replace

import anyio

from penstock.engine.errors import StoreRefused, StoreUnavailable
from penstock.engine.transport.address import Address
from penstock.engine.transport.addresses import SentinelAddress
from penstock.engine.transport.connection import Connection, connect
from penstock.engine.transport.errors import StoreError, StoreNotReady
from penstock.engine.transport.wire import Reply

_ASK = 1.0
"""Seconds for a Sentinel, or for the server it names; less than a call's patience: others are asked too."""


class Sentinels:
    """Asks the Sentinels of one master, first the one that was right last time."""

    def __init__(self, address: SentinelAddress) -> None:
        self._address = address
        self._order = list(address.sentinels)

    async def find(self) -> Address:
        """The server that is the master now, by its own word.

        After a failover a Sentinel may still name the old master, which has become a replica or is gone;
        then the next Sentinel is asked. Raises `StoreUnavailable` where no Sentinel can be reached or
        none leads to a master, `StoreRefused` where those that answer know none of that name or are no
        Sentinels.
        """
        troubles: list[StoreError] = []
        named: set[Address] = set()
        for sentinel in tuple(self._order):
            try:
                server = await self._ask(sentinel)
            except (StoreUnavailable, StoreRefused) as error:
                troubles.append(error)
                continue
            if server in named:
                continue
            named.add(server)
            trouble = await _examine(server)
            if trouble is None:
                self._prefer(sentinel)
                return server
            troubles.append(trouble)
        if not named:
            _raise_refusal(troubles)
        reasons = " ".join(str(trouble) for trouble in troubles)
        raise StoreUnavailable(f"No Sentinel of {self._address} leads to a master. {reasons}")

    async def _ask(self, sentinel: Address) -> Address:
        with anyio.move_on_after(_ASK):
            connection = await connect(sentinel)
            try:
                return await self._name(sentinel, connection)
            finally:
                await connection.aclose()
        raise StoreUnavailable(f"The Sentinel {sentinel} did not answer within {_ASK:g} s.")

    async def _name(self, sentinel: Address, connection: Connection) -> Address:
        master = self._address.master
        try:
            found = await connection.execute("SENTINEL", "GET-MASTER-ADDR-BY-NAME", master)
            masters = None if found else await connection.execute("SENTINEL", "MASTERS")
        except StoreRefused as error:
            raise StoreRefused(
                f"{sentinel} does not answer as a Sentinel does ({error}). Sentinels listen on a port of "
                "their own, 26379 by custom; a server without Sentinels is addressed with redis://."
            ) from error
        match found:
            case [bytes(host), bytes(port)]:
                return replace(self._address.server, host=host.decode(), port=int(port))
            case _:
                known = ", ".join(_names(masters)) or "none at all"
                raise StoreRefused(f"The Sentinel {sentinel} knows no master {master!r}; it knows {known}.")

    def _prefer(self, sentinel: Address) -> None:
        self._order.remove(sentinel)
        self._order.insert(0, sentinel)


async def _examine(server: Address) -> StoreUnavailable | None:
    """Why `server` is not the master now; None if it says itself that it is. Raises `StoreRefused`."""
    try:
        with anyio.move_on_after(_ASK):
            connection = await connect(server)
            try:
                role = await connection.execute("ROLE")
            finally:
                await connection.aclose()
            if not isinstance(role, list) or role[0] != b"master":
                return StoreNotReady(f"{server} was named as the master and says that it is {role!r:.30}.")
            return None
        return StoreUnavailable(f"{server} was named as the master and did not answer within {_ASK:g} s.")
    except StoreUnavailable as error:
        return error


def _raise_refusal(troubles: list[StoreError]) -> None:
    """Say what is wrong with the address, even if some of the Sentinels are only away."""
    for trouble in troubles:
        if isinstance(trouble, StoreRefused):
            raise trouble


def _names(masters: Reply) -> list[str]:
    """The names in an answer to SENTINEL MASTERS, each of which begins: name, the name."""
    names: list[str] = []
    for master in masters if isinstance(masters, list) else ():
        match master:
            case [_, bytes(name), *_]:
                names.append(name.decode())
            case _:
                pass
    return names
