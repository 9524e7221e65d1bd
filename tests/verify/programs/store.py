"""The broker's own server, Redis or Valkey: on a port and a folder that survive its end."""

import socket
from contextlib import closing
from pathlib import Path

from verify.ports import new_port
from verify.programs.keeper import Keeper
from verify.programs.program import Program


class Store(Program):
    """Syncs its log with every write, as jobs that matter want it."""

    def __init__(self, name: str, binary: Path, folder: Path, keeper: Keeper) -> None:
        self._port = new_port()
        self.url = f"redis://127.0.0.1:{self._port}"
        data = folder / f"{name}-data"
        data.mkdir()
        command = [
            *(str(binary), "--port", str(self._port), "--bind", "127.0.0.1", "--dir", str(data)),
            *("--save", "", "--appendonly", "yes", "--appendfsync", "always"),
        ]
        super().__init__(name, command, folder=folder, keeper=keeper, ready=self._answers)

    def version(self) -> str:
        """Which server it is."""
        lines = self._say("INFO server").splitlines()
        found = dict(line.split(":", 1) for line in lines if ":" in line)
        if "valkey_version" in found:
            return f"Valkey {found['valkey_version']}"
        return f"Redis {found['redis_version']}"

    def _answers(self) -> bool:
        return self._say("PING").startswith("+PONG")

    def _say(self, command: str) -> str:
        with closing(socket.create_connection(("127.0.0.1", self._port), 5)) as link:
            link.sendall(f"{command}\r\nQUIT\r\n".encode())
            return b"".join(iter(lambda: link.recv(65536), b"")).decode()
