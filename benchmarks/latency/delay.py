"""A network between Penstock and its server: every byte comes later, none is lost. `… PATH UPSTREAM SECONDS`.

A process of its own, so that what it costs is not the worker's. Both directions take half of the delay each.
"""

import sys
from collections.abc import AsyncIterator

import trio

from benchmarks.limit.recording import connect_to, unix_listener
from penstock.engine.transport import Address

_CHUNK = 65536
_UNDER_WAY = 10_000
"""Pieces between the two ends; a reader that is slower slows down the writer, as on a network."""


async def main(path: str, upstream: str, seconds: float) -> None:
    """Carry connections until killed."""
    address = Address.parse(upstream)

    async def carry(client: trio.SocketStream) -> None:
        async with client, await connect_to(address) as server, trio.open_nursery() as nursery:
            nursery.start_soon(_delay, server, client, seconds / 2)
            await _delay(client, server, seconds / 2)
            nursery.cancel_scope.cancel()

    await trio.serve_listeners(carry, [unix_listener(path)])


async def _delay(source: trio.SocketStream, target: trio.SocketStream, seconds: float) -> None:
    """Until the source ends."""
    send, receive = trio.open_memory_channel[tuple[float, bytes]](_UNDER_WAY)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(_deliver, receive, target)
        async with send:
            async for some in _pieces(source):
                await send.send((trio.current_time() + seconds, some))


async def _pieces(source: trio.SocketStream) -> AsyncIterator[bytes]:
    try:
        while some := await source.receive_some(_CHUNK):
            yield some
    except (trio.BrokenResourceError, trio.ClosedResourceError):
        return  # the other side has gone first


async def _deliver(pieces: trio.MemoryReceiveChannel[tuple[float, bytes]], target: trio.SocketStream) -> None:
    async for when, some in pieces:
        await trio.sleep_until(when)
        try:
            await target.send_all(some)
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            return


if __name__ == "__main__":
    trio.run(main, sys.argv[1], sys.argv[2], float(sys.argv[3]))
