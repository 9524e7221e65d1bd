"""Every byte that Penstock sends to the server while jobs are submitted and drained, command by command."""

import socket
import tempfile
from pathlib import Path
from typing import Any, NamedTuple

import hiredis
import trio

from benchmarks.drain import measure
from penstock.engine import Seams, scripts
from penstock.engine.transport import Address, Redis
from penstock.engine.transport.wire import pack

_CHUNK = 65536


class Recording(NamedTuple):
    """Packed commands, in the order in which they were sent on the one connection that carries scripts."""

    submit: list[bytes]
    drain: list[bytes]  # what a worker sends, from joining to leaving
    settles: set[int]  # which of those settle jobs


async def record(url: str, jobs: int) -> Recording:
    """Have Penstock submit and drain `jobs` jobs through a pipe that is listened to."""
    upstream = Address.parse(url)
    heard: dict[int, bytearray] = {}
    with tempfile.TemporaryDirectory(prefix="recording-") as folder:
        path = str(Path(folder) / "sock")

        async def carry(client: trio.SocketStream) -> None:
            async with client, await connect_to(upstream) as server, trio.open_nursery() as nursery:
                mine = heard.setdefault(len(heard), bytearray())
                nursery.start_soon(_copy, server, client, None)
                await _copy(client, server, mine)
                nursery.cancel_scope.cancel()

        async with trio.open_nursery() as nursery:
            nursery.start_soon(trio.serve_listeners, carry, [unix_listener(path)])
            async with Redis(f"unix://{path}") as redis:
                await measure(redis, Seams(), 200)  # scripts are loaded, and sent by their names from now on
                await redis.execute("FLUSHALL")
                for some in heard.values():
                    some.clear()
                await measure(redis, Seams(), jobs)
            nursery.cancel_scope.cancel()
    return _sort(max(heard.values(), key=len))


def _sort(sent: bytearray) -> Recording:
    names = {script.sha1.encode(): name for name, script in scripts.load().items()}
    recording = Recording([], [], set())
    joined = False
    for words in _commands(bytes(sent)):
        if words[0] != b"EVALSHA":
            continue  # looks at counters, which are the benchmark's own
        name = names[words[1]]
        joined = joined or name == "join"
        if name == "settle":
            recording.settles.add(len(recording.drain))
        if joined or name.startswith("submit"):
            (recording.drain if joined else recording.submit).append(pack(tuple(words)))
    return recording


def _commands(sent: bytes) -> list[list[bytes]]:
    reader: Any = hiredis.Reader()
    reader.feed(sent)  # a command is an array of strings: what a reader of replies can read
    found: list[list[bytes]] = []
    while command := reader.gets():
        found.append(command)
    return found


def unix_listener(path: str) -> trio.SocketListener:
    """Listens on a new unix socket."""
    plain = socket.socket(socket.AF_UNIX)
    plain.bind(path)
    plain.listen(10)
    plain.setblocking(False)
    return trio.SocketListener(trio.socket.from_stdlib_socket(plain))


async def connect_to(upstream: Address) -> trio.SocketStream:
    """A connection to the server at this address."""
    if upstream.path is not None:
        return await trio.open_unix_socket(upstream.path)
    return await trio.open_tcp_stream(upstream.host, upstream.port)


async def _copy(source: trio.SocketStream, target: trio.SocketStream, heard: bytearray | None) -> None:
    try:
        while some := await source.receive_some(_CHUNK):
            if heard is not None:
                heard += some
            await target.send_all(some)
    except (trio.BrokenResourceError, trio.ClosedResourceError):
        return  # the other side has gone first
