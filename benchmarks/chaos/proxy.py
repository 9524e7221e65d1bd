"""The proxy in front of the server: a socket for each process, so that one of them can be cut off alone."""

import socket
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import trio

from benchmarks.chaos.line import Line
from benchmarks.chaos.misfortune import PEACE, Misfortune, Mishap

Draw = Callable[[str, int], Misfortune]
"""What befalls a process's connection of this number."""


class Proxy:
    """Listens for the processes of one run and forwards to `upstream`, both unix sockets.

    `tally` counts the mishaps that have happened, by kind.
    """

    def __init__(self, folder: Path, upstream: Path, draw: Draw) -> None:
        self.tally: Counter[str] = Counter()
        self.connections = 0
        self._folder = folder
        self._upstream = upstream
        self._draw = draw
        self._calm = False
        self._lines: dict[str, set[Line]] = {}
        self._cut_off: set[str] = set()

    def url(self, name: str) -> str:
        """Where the process `name` finds the server."""
        return f"unix://{self._path(name)}"

    async def serve(
        self, name: str, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED
    ) -> None:
        """Carry the connections of one process until cancelled. Started when it listens."""
        numbers = iter(range(1, 1 << 30))
        self._lines[name] = set()

        async def carry(client: trio.SocketStream) -> None:
            await self._carry(client, name, next(numbers))

        with socket.socket(socket.AF_UNIX) as plain:
            plain.bind(str(self._path(name)))
            plain.listen(100)
            plain.setblocking(False)
            listener = trio.SocketListener(trio.socket.from_stdlib_socket(plain))
            task_status.started()
            await trio.serve_listeners(carry, [listener])

    def blip(self) -> None:
        """Cut every connection."""
        for lines in self._lines.values():
            for line in tuple(lines):
                line.cut()

    def cut_off(self, name: str) -> None:
        """Partition one process from the server: old connections fall silent, new ones get no answer."""
        self._cut_off.add(name)
        for line in self._lines[name]:
            line.silence()

    def join(self, name: str) -> None:
        """End the partition; connections that fell silent stay so until their client gives them up."""
        self._cut_off.discard(name)

    def calm_down(self) -> None:
        """No more mishaps: everybody connects anew, to connections that last."""
        self._calm = True
        self._cut_off.clear()
        self.blip()

    async def _carry(self, client: trio.SocketStream, name: str, number: int) -> None:
        self.connections += 1
        try:
            server = await trio.open_unix_socket(str(self._upstream))
        except OSError:  # the server is down: so is this connection
            return await client.aclose()
        line = Line(client, server, PEACE if self._calm else self._draw(name, number), self._note)
        if name in self._cut_off:
            line.silence()
        self._lines[name].add(line)
        try:
            await line.run()
        finally:
            self._lines[name].discard(line)

    def _note(self, mishap: Mishap) -> None:
        self.tally[mishap] += 1

    def _path(self, name: str) -> Path:
        return self._folder / f"{name}.sock"
