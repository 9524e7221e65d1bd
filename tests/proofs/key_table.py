"""The table of keys in ARCHITECTURE.md, and every key that a server sees written."""

import re
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, NamedTuple, Protocol, cast

import hiredis
import trio

from support.redis_server import ValkeyServer

DOCUMENT = Path(__file__).parents[2] / "ARCHITECTURE.md"
HEADING = "## In which key each fact lives"


class Row(NamedTuple):
    """What is told of one kind of key."""

    key: str
    type: str
    holds: str
    written_by: str
    deleted_by: str

    def matches(self, key: str) -> bool:
        """Whether this row tells of `key`."""
        words = re.split(r"<[a-z]+>", self.key)
        pattern = "[^:]+".join(map(re.escape, words)).replace("…", r"penstock:\{[^{}]+\}:")
        return re.fullmatch(pattern, key) is not None


def table() -> list[Row]:
    """The rows, in order."""
    section = DOCUMENT.read_text().split(HEADING)[1].split("\n## ")[0]
    lines = [line for line in section.splitlines() if line.startswith("| `")]
    return [Row(*(cell.strip().strip("`") for cell in line.strip("|").split("|"))) for line in lines]


class _Reader(Protocol):
    def feed(self, data: bytes, /) -> None: ...
    def gets(self) -> Any: ...


@asynccontextmanager
async def keys_seen(server: ValkeyServer) -> AsyncGenerator[set[str]]:
    """Every key that is written, deleted or expires during the block, added as it happens."""
    seen = set[str]()
    reader = cast(Callable[[], _Reader], hiredis.Reader)()
    async with await trio.open_unix_socket(str(server.socket_path)) as stream, trio.open_nursery() as nursery:
        await stream.send_all(b"CONFIG SET notify-keyspace-events EA\r\nPSUBSCRIBE __keyevent@*\r\n")
        subscribed = trio.Event()

        async def read() -> None:
            while data := await stream.receive_some():
                reader.feed(data)
                while message := reader.gets():
                    if message[0] == b"psubscribe":
                        subscribed.set()
                    elif message[0] == b"pmessage":
                        seen.add(message[3].decode())

        nursery.start_soon(read)
        await subscribed.wait()
        yield seen
        nursery.cancel_scope.cancel()
