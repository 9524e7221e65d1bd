"""Asking one node of a Cluster who holds which slot."""

import anyio

from penstock.engine.errors import StoreRefused, StoreUnavailable
from penstock.engine.transport.address import Address
from penstock.engine.transport.connection import Connection, connect
from penstock.engine.transport.errors import StoreNotReady
from penstock.engine.transport.slots import Layout, Node, read_shards, read_slots

_ASK = 1.0
"""Seconds for one node to tell the layout; less than a call's patience, so that another is asked too."""


async def ask_layout(address: Address) -> Layout:
    """The layout as one node sees it, over a connection of its own: a stalled node holds nobody else up.

    Raises `StoreUnavailable` where it does not answer or knows nobody, `StoreRefused` where it is no node
    of a Cluster.
    """
    with anyio.move_on_after(_ASK):
        connection = await connect(address)
        try:
            layout = await _read_layout(connection, address)
        except (StoreRefused, ValueError, LookupError) as error:
            raise StoreRefused(
                f"{address} does not answer as a node of a Cluster does: {_brief(error)}. A single server is "
                "addressed with redis://, a master behind Sentinels with redis+sentinel://."
            ) from error
        finally:
            await connection.aclose()
        if not layout.ranges:
            raise StoreNotReady(f"{address} knows of no node that holds slots.")
        return layout
    raise StoreUnavailable(f"{address} did not answer within {_ASK:g} s.")


async def _read_layout(connection: Connection, address: Address) -> Layout:
    asked = Node(address.host, address.port)
    try:
        shards = await connection.execute("CLUSTER", "SHARDS")
    except StoreRefused:  # an ACL, or a service that knows the older command only
        return read_slots(await connection.execute("CLUSTER", "SLOTS"), asked)
    return read_shards(shards, asked, tls=address.tls is not None)


def _brief(error: Exception) -> str:
    return str(error)[:200].rstrip(" .")
