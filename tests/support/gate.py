"""A gate where jobs in other processes report and wait: tests know what runs and decide when it goes on."""

import json
import socket
import tempfile
import threading
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path


class Gate:
    """Where `support.application.gated` waits."""

    def __init__(self, path: Path, listener: socket.socket) -> None:
        self.path = str(path)
        self.waiting: list[tuple[str, str]] = []
        """Job id and worker of everybody who has come, in order."""
        self._listener = listener
        self._inside: list[socket.socket] = []

    def wait_for(self, count: int, *, within: float = 30.0) -> list[tuple[str, str]]:
        """Return once `count` jobs in all have come, from any process."""
        self._listener.settimeout(within)
        while len(self.waiting) < count:
            connection, _ = self._listener.accept()
            connection.settimeout(within)
            self._inside.append(connection)
            job_id, worker = json.loads(connection.makefile().readline())
            self.waiting.append((job_id, worker))
        return self.waiting

    def open(self) -> None:
        """Let everybody go who waits."""
        for connection in self._inside:
            connection.close()
        self._inside.clear()

    def take_down(self) -> None:
        """Let everybody pass from now on."""
        self.open()
        threading.Thread(target=self._wave_through).start()

    def _wave_through(self) -> None:
        self._listener.settimeout(None)
        with suppress(OSError):  # the listener's end is ours
            while True:
                self._listener.accept()[0].close()


@contextmanager
def gate() -> Generator[Gate]:
    """A gate for the length of the block; at its end everybody may go."""
    with (
        tempfile.TemporaryDirectory(prefix="gate-") as folder,  # short: a socket path has 107 bytes
        socket.socket(socket.AF_UNIX) as listener,
    ):
        path = Path(folder) / "gate.sock"
        listener.bind(str(path))
        listener.listen(1000)
        entrance = Gate(path, listener)
        try:
            yield entrance
        finally:
            entrance.open()
            listener.shutdown(socket.SHUT_RDWR)
