"""One `penstock` process of a rolling update: started, found ready, told to end, and gone at the end."""

import signal
import socket
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import trio

READY_WITHIN = 90.0
"""Seconds from start to readiness on a machine that is swamped."""
LOOK = 0.05
"""Seconds between two questions for readiness."""

# The shell becomes the process and leaves a watcher that ends it when our end of standard input closes,
# which it does however we die.
_LAUNCH = 'exec 3<&0 </dev/null; (read -r _ <&3; kill -9 "$$" 2>/dev/null) & exec "$@" 3<&-'
_PENSTOCK = str(Path(sys.executable).with_name("penstock"))


class Process:
    """`penstock COMMAND …`, whose probes are on `port`; what it says is in the file `log`."""

    def __init__(self, name: str, port: int, command: list[str], folder: Path) -> None:
        self.name = name
        self.port = port
        self.log = folder / f"{name}.log"
        self.pid = 0
        self.code: int | None = None
        self.ended = trio.Event()
        self._command = ["sh", "-c", _LAUNCH, "sh", _PENSTOCK, *command]
        self._process: trio.Process | None = None

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Run it until it ends. Started when it is ready; cancelled, it kills it.

        Raises `RuntimeError` if it ends before it is ready, `trio.TooSlowError` if that takes too long.
        """
        with self.log.open("wb") as log:
            process = await trio.lowlevel.open_process(
                self._command, stdin=subprocess.PIPE, stdout=log, stderr=log
            )
        self._process, self.pid = process, process.pid
        try:
            with trio.fail_after(READY_WITHIN):
                await self._until_ready(process)
            task_status.started()
            self.code = await process.wait()
            self.ended.set()
        finally:
            await _bury(process)

    async def terminate(self) -> None:
        """SIGTERM, and wait for the end; `code` is the exit code then."""
        assert self._process is not None
        self._process.send_signal(signal.SIGTERM)
        await self.ended.wait()

    async def _until_ready(self, process: trio.Process) -> None:
        while not await says_ready(self.port):
            if process.returncode is not None:
                raise RuntimeError(
                    f"{self.name} ended with code {process.returncode}: {self.log.read_text()}"
                )
            await trio.sleep(LOOK)


async def says_ready(port: int) -> bool:
    """Whether `/readyz` on that port of this machine is answered with 200."""
    try:
        async with await trio.open_tcp_stream("127.0.0.1", port) as stream:
            await stream.send_all(b"GET /readyz HTTP/1.1\r\nHost: rolling\r\nConnection: close\r\n\r\n")
            return (await stream.receive_some(64)).startswith(b"HTTP/1.1 200")
    except OSError:
        return False
    except trio.BrokenResourceError:
        return False


def free_port() -> int:
    """A TCP port on 127.0.0.1 that was free a moment ago."""
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


async def _bury(process: trio.Process) -> None:
    # Shielded, because a cancelled run may leave no process behind; SIGKILL does not wait for anybody.
    with trio.CancelScope(shield=True):
        process.kill()
        await process.wait()
        if process.stdin is not None:
            await process.stdin.aclose()
