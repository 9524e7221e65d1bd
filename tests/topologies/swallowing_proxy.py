"""A way to a server on which everything can vanish without a word, as behind a firewall that forgot."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import trio


class SwallowingProxy:
    """Forwards bytes; while it swallows, neither they nor ends of connections get through."""

    def __init__(self, target: int, listener: trio.SocketListener) -> None:
        self.port: int = listener.socket.getsockname()[1]
        self._target = target
        self._open = trio.Event()
        self._open.set()

    def swallow(self) -> None:
        """From now on nothing gets through, on connections old and new; old ones never recover."""
        self._open = trio.Event()

    def forward(self) -> None:
        """New connections get through again."""
        self._open.set()

    async def serve(self, near: trio.SocketStream) -> None:
        """Carry one connection."""
        born = self._open
        await born.wait()
        far = await trio.open_tcp_stream("127.0.0.1", self._target)
        async with far, trio.open_nursery() as nursery:
            nursery.start_soon(self._carry, near, far, born)
            nursery.start_soon(self._carry, far, near, born)

    async def _carry(self, source: trio.SocketStream, sink: trio.SocketStream, born: trio.Event) -> None:
        try:
            async for data in source:
                if self._open is not born:
                    await trio.sleep_forever()
                await sink.send_all(data)
            if self._open is not born:
                await trio.sleep_forever()
            await sink.aclose()
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            return


@asynccontextmanager
async def swallowing_proxy(target: int) -> AsyncGenerator[SwallowingProxy]:
    """A proxy before a port of this machine, with a port of its own."""
    async with trio.open_nursery() as nursery:
        [listener] = await trio.open_tcp_listeners(0, host="127.0.0.1")
        proxy = SwallowingProxy(target, listener)
        nursery.start_soon(trio.serve_listeners, proxy.serve, [listener])
        yield proxy
        nursery.cancel_scope.cancel()
