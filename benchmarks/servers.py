"""Servers that a benchmark may ruin: any configuration, killed and started again on the same data."""

import subprocess
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from penstock.deploy.embedded import command_of, find_executable
from penstock.engine.transport import Redis

_READY_WITHIN = 20.0  # seconds


class Server:
    """One Valkey process with `config` on its command line; its data stay in `folder`."""

    def __init__(self, folder: Path, *config: str) -> None:
        self.socket = folder / "valkey.sock"
        self.url = f"unix://{self.socket}"
        folder.mkdir(parents=True, exist_ok=True)
        self._command = [
            *(*command_of(find_executable()), "--port", "0", "--unixsocket", str(self.socket)),
            *("--dir", str(folder), "--save", "", "--logfile", str(folder / "log"), *config),
        ]
        self._process: subprocess.Popen[bytes] | None = None

    async def start(self) -> None:
        """Return when it answers, its data loaded."""
        self._process = subprocess.Popen(self._command)  # noqa: ASYNC220 -- a fork takes a millisecond
        async with Redis(self.url) as redis:
            await redis.execute("GET", "any", retry_for=_READY_WITHIN)

    def kill(self) -> None:
        """End it as the kernel would when it is out of memory: SIGKILL."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None


@contextmanager
def servers(folder: Path, *configs: tuple[str, ...]) -> Generator[list[Server]]:
    """One server for each configuration, not started yet; killed at the end of the block."""
    made = [Server(folder / str(number), *config) for number, config in enumerate(configs)]
    try:
        yield made
    finally:
        for server in made:
            server.kill()
