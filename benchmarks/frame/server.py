"""A server for one contestant: the embedded one, with every write synced or with no file at all."""

import socket
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, closing
from typing import Literal

from penstock.deploy.embedded import EmbeddedServer
from penstock.engine.transport import Redis

Fsync = Literal["always", "none"]


@asynccontextmanager
async def benchmark_server(*, fsync: Fsync = "always", port: bool = False) -> AsyncGenerator[str]:
    """Gives its URL: a unix socket, or TCP on 127.0.0.1 where `port` is asked for.

    The append-only file is not rewritten meanwhile, which would fall into one contestant's turn.
    """
    number = free_port() if port else None
    async with EmbeddedServer.open(port=number) as server:
        async with Redis(server.url) as redis:
            await redis.execute("CONFIG", "SET", "auto-aof-rewrite-percentage", 0)
            if fsync == "none":
                await redis.execute("CONFIG", "SET", "appendonly", "no")
        yield server.url if number is None else f"redis://127.0.0.1:{number}/0"


def free_port() -> int:
    """A TCP port on 127.0.0.1 that was free a moment ago."""
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
