"""The server of a chaos run: killed and started again on the same data and the same socket."""

import os
import signal
from pathlib import Path

import trio

from penstock.deploy.embedded import EmbeddedServer
from penstock.engine.errors import StoreUnavailable
from penstock.engine.transport import Redis


class Server:
    """An embedded server (every write on disk before it is acknowledged) that survives its deaths."""

    def __init__(self, folder: Path, port: int | None = None) -> None:
        """`port` is one on 127.0.0.1 beside the socket."""
        self.folder = folder
        self._port = port
        self.socket = folder / "valkey.sock"
        self.url = f"unix://{self.socket}"
        """Without the proxy."""
        self._pid = 0
        self._up = trio.Event()
        self._down_for = 0.0
        self._retired = trio.Event()

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Keep it running until `retire`. Started when it answers for the first time."""
        started = False
        while not self._retired.is_set():
            try:
                async with EmbeddedServer.open(self.folder, port=self._port) as server:
                    await self._keep_whole()
                    self._pid = server.pid
                    self._up.set()
                    if not started:
                        task_status.started()
                        started = True
                    await self._retired.wait()
            except* StoreUnavailable:  # it was killed
                self._up = trio.Event()
                await trio.sleep(self._down_for)

    async def _keep_whole(self) -> None:
        """Never rewrite the append-only file: it is a witness."""
        async with Redis(self.url) as redis:
            await redis.execute("CONFIG", "SET", "auto-aof-rewrite-percentage", "0")

    async def crash(self, down_for: float) -> None:
        """Kill it; it is started again after so many seconds."""
        await self._up.wait()
        self._down_for = down_for
        os.kill(self._pid, signal.SIGKILL)

    async def stall(self, seconds: float) -> None:
        """Stop it (SIGSTOP): connections stay open, nothing is answered."""
        await self._up.wait()
        os.kill(self._pid, signal.SIGSTOP)
        try:
            await trio.sleep(seconds)
        finally:
            os.kill(self._pid, signal.SIGCONT)

    def retire(self) -> None:
        """End it in good order."""
        self._retired.set()
