"""A proxy that reads what it forwards, and cuts the connection around one call of one script."""

import shutil
import tempfile
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Literal, Protocol, cast

import hiredis
import trio

from penstock.engine.transport import Script

When = Literal["before", "after"]
"""Cut the call off before the server sees it, or carry it out and cut its reply off."""


class _Reader(Protocol):
    def feed(self, data: bytes, /) -> None: ...
    def gets(self) -> Any: ...


_INCOMPLETE = object()
_new_reader = cast(Callable[..., _Reader], hiredis.Reader)
_pack = cast(Callable[[tuple[bytes, ...]], bytes], hiredis.pack_command)


def _complete(reader: _Reader, data: bytes) -> list[Any]:
    """The commands or replies that `data` completes."""
    reader.feed(data)
    return list(iter(reader.gets, _INCOMPLETE))


class RespProxy:
    """Stands at `url` in front of a server; tests tell it which call to cut."""

    def __init__(self, path: Path, backend: Path) -> None:
        self.url = f"unix://{path}"
        self.cuts = 0
        """Calls that were cut."""
        self._backend = backend
        self._script = ""
        self._when: When = "before"
        self._calls: set[int] = set()
        self._seen = 0

    def cut(self, script: Script, when: When, *calls: int) -> None:
        """From now on, cut these calls of `script`: the first is number 1, and one sent again counts too."""
        self._script, self._when, self._calls = script.sha1, when, set(calls)
        self._seen = self.cuts = 0

    def judge(self, command: list[bytes]) -> When | None:
        """Whether, and on which side, this command is cut."""
        if _digest(command) != self._script:
            return None
        self._seen += 1
        if self._seen not in self._calls:
            return None
        self.cuts += 1
        return self._when

    async def forward(self, client: trio.SocketStream) -> None:
        """Serve one connection until either side closes it, or it is cut."""
        try:
            async with (
                client,
                await trio.open_unix_socket(self._backend) as server,
                trio.open_nursery() as nursery,
            ):
                line = _Line(client, server)
                nursery.start_soon(line.replies, nursery.cancel_scope)
                await line.commands(self.judge)
                nursery.cancel_scope.cancel()
        except* (trio.BrokenResourceError, trio.ClosedResourceError, OSError):
            pass  # either side may go without a farewell


class _Line:
    """One connection through the proxy."""

    def __init__(self, client: trio.SocketStream, server: trio.SocketStream) -> None:
        self._client = client
        self._server = server
        self._unanswered = 0
        self._cut = False
        self._answered = trio.Event()

    async def commands(self, judge: Callable[[list[bytes]], When | None]) -> None:
        """Forward commands one by one; returns when the connection has to end."""
        reader = _new_reader(notEnoughData=_INCOMPLETE)
        while data := await self._client.receive_some():
            for command in _complete(reader, data):
                when = judge(command)
                if when is not None:
                    await self._wait_for_answers()  # those before it are not cut
                if when == "before":
                    return
                self._cut = when == "after"
                self._unanswered += 1
                await self._server.send_all(_pack(tuple(command)))
                if self._cut:
                    await self._wait_for_answers()
                    return

    async def replies(self, over: trio.CancelScope) -> None:
        """Forward replies as they come, but for the one that is cut off."""
        reader = _new_reader(notEnoughData=_INCOMPLETE)
        while data := await self._server.receive_some():
            if not self._cut:
                await self._client.send_all(data)
            self._unanswered -= len(_complete(reader, data))
            if self._unanswered <= 0:
                self._answered.set()
        over.cancel()

    async def _wait_for_answers(self) -> None:
        while self._unanswered > 0:
            self._answered = trio.Event()
            await self._answered.wait()


def _digest(command: list[bytes]) -> str | None:
    """Which script a command calls, by its digest or by its source."""
    match command[0].upper():
        case b"EVALSHA":
            return command[1].decode()
        case b"EVAL":
            return Script("sent", command[1].decode()).sha1
        case _:
            return None


@asynccontextmanager
async def resp_proxy(backend: Path) -> AsyncGenerator[RespProxy]:
    """A proxy in front of the server at that unix socket, for the length of the block."""
    folder = Path(tempfile.mkdtemp(prefix="proxy-"))  # short: a socket path has 107 bytes
    try:
        proxy = RespProxy(folder / "proxy.sock", backend)
        listener = trio.socket.socket(trio.socket.AF_UNIX)
        await listener.bind(str(folder / "proxy.sock"))
        listener.listen()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(trio.serve_listeners, proxy.forward, [trio.SocketListener(listener)])
            yield proxy
            nursery.cancel_scope.cancel()
    finally:
        shutil.rmtree(folder, ignore_errors=True)
