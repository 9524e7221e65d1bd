"""Servers on real ports that answer as a test says: nodes of a Cluster, Sentinels, masters."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager

import hiredis
import trio

from transport.fake_stream import Answer, array, bulk

OK = b"+OK\r\n"
_GREETING = b"AUTH", b"SELECT", b"CLIENT"


class FakeNode:
    """One port. `answer` may be replaced while it runs; `commands` are those after greetings."""

    def __init__(self, listener: trio.SocketListener) -> None:
        self._listener = listener
        self._life = trio.CancelScope()
        self.port: int = listener.socket.getsockname()[1]
        self.answer: Answer = lambda _: OK
        self.commands: list[list[bytes]] = []
        self.greetings: list[list[bytes]] = []
        self.login = OK
        self.clients = 0
        """Connections that are open now."""

    def count(self, *words: bytes) -> int:
        """How many commands began with these words."""
        return sum(tuple(command[: len(words)]) == words for command in self.commands)

    def _reply(self, command: list[bytes]) -> bytes:
        if command[0] in _GREETING:
            self.greetings.append(command)
            return self.login if command[0] == b"AUTH" else OK
        self.commands.append(command)
        return self.answer(command)

    async def run(self) -> None:
        """Serve until killed."""
        with self._life:
            await trio.serve_listeners(self._serve, [self._listener])

    def kill(self) -> None:
        """Close the port and every connection."""
        self._life.cancel()

    async def _serve(self, stream: trio.SocketStream) -> None:
        parser = hiredis.Reader(notEnoughData=None)
        self.clients += 1
        try:
            async for data in stream:
                parser.feed(bytes(data))
                while (command := parser.gets()) is not None:
                    await stream.send_all(self._reply(command))
        except trio.BrokenResourceError:
            pass  # the client hung up
        finally:
            self.clients -= 1
            await trio.aclose_forcefully(stream)


@asynccontextmanager
async def fake_nodes(count: int) -> AsyncGenerator[list[FakeNode]]:
    """So many of them on 127.0.0.1, gone at the end of the block."""
    async with trio.open_nursery() as nursery:
        nodes: list[FakeNode] = []
        for _ in range(count):
            [listener] = await trio.open_tcp_listeners(0, host="127.0.0.1")
            node = FakeNode(listener)
            nodes.append(node)
            nursery.start_soon(node.run)
        yield nodes
        nursery.cancel_scope.cancel()


def shards(*masters: FakeNode, replicas: Sequence[FakeNode] = (), endpoint: bytes = b"127.0.0.1") -> bytes:
    """An answer to CLUSTER SHARDS: slots shared out among `masters`, `replicas` with the first of them."""
    found: list[bytes] = []
    for number, master in enumerate(masters):
        first, last = 16384 * number // len(masters), 16384 * (number + 1) // len(masters) - 1
        nodes = [_about(master, b"master", endpoint)]
        nodes += [_about(replica, b"replica", endpoint) for replica in replicas if not number]
        slots = array(_number(first), _number(last))
        found.append(array(bulk(b"slots"), slots, bulk(b"nodes"), array(*nodes)))
    return array(*found)


def slots(*masters: FakeNode) -> bytes:
    """An answer to CLUSTER SLOTS."""
    found: list[bytes] = []
    for number, master in enumerate(masters):
        first, last = 16384 * number // len(masters), 16384 * (number + 1) // len(masters) - 1
        found.append(
            array(_number(first), _number(last), array(bulk(b"127.0.0.1"), _number(master.port), bulk(b"id")))
        )
    return array(*found)


def moved(slot: int, node: FakeNode, host: str = "127.0.0.1") -> bytes:
    """A redirection for good."""
    return f"-MOVED {slot} {host}:{node.port}\r\n".encode()


def _about(node: FakeNode, role: bytes, endpoint: bytes) -> bytes:
    return array(
        *(bulk(b"port"), _number(node.port), bulk(b"endpoint"), bulk(endpoint)),
        *(bulk(b"role"), bulk(role), bulk(b"health"), bulk(b"online")),
    )


def _number(value: int) -> bytes:
    return b":%d\r\n" % value
