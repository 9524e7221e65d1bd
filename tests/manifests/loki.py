"""A real Loki with our settings, which can go away and come back with what it has."""

import json
import time
import urllib.parse
import urllib.request
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from manifests.built import program
from manifests.kustomized import DEPLOY
from support.processes import Process, free_port

WITHIN = 90.0
"""Seconds that Loki may take to start, and lines to arrive, on a machine that is swamped."""
MOST = 5_000
"""Lines in one answer; Loki's own bound (`max_entries_limit_per_query`)."""


class Line(NamedTuple):
    """A line as Loki has it."""

    text: str
    fields: dict[str, str]
    """Its stream's labels and its structured metadata."""


class Loki:
    """The server; `url` is its address, whether it runs or not."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._program = program("loki")
        self._ports = free_port(), free_port()
        self._process: Process | None = None
        self.url = f"http://127.0.0.1:{self._ports[0]}"

    def start(self) -> None:
        """Return once it takes lines."""
        # It would wait for 15 seconds for others of a ring in which it is alone.
        command = [self._program, f"-config.file={self._settings()}", "-ingester.min-ready-duration=0s"]
        self._process = Process(command, env={}, cwd=self._folder)
        self.until(self._ready, lambda: f"Loki is not ready\n{self._process}")

    def kill(self) -> None:
        """As the kernel would."""
        if self._process is not None:
            self._process.kill()
            self._process = None

    def lines(self, query: str) -> list[Line]:
        """What a LogQL query finds in the last hour, oldest first."""
        found = self._ask("query_range", query=query, limit=str(MOST), direction="forward", since="1h")
        values = [
            (int(value[0]), Line(value[1], stream["stream"]))
            for stream in found["result"]
            for value in stream["values"]
        ]
        return [line for _, line in sorted(values, key=lambda value: value[0])]

    def labels(self) -> set[str]:
        """Names of all labels that streams have."""
        return set(self._ask("labels", since="1h") or ())

    def streams(self) -> list[dict[str, str]]:
        """The labels of each stream."""
        found: list[dict[str, str]] = self._ask("series", since="1h")
        return found

    def until(self, true: Callable[[], bool], what: Callable[[], str]) -> None:
        """Return once `true` is: agents tell nobody what they have delivered."""
        deadline = time.monotonic() + WITHIN
        while not true():
            assert time.monotonic() < deadline, what()
            time.sleep(0.1)

    def _ready(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.url}/ready", timeout=5) as response:
                return bool(response.status == 200)
        except OSError:  # not there yet, or it says 503
            return False

    def _ask(self, what: str, **parameters: str) -> Any:
        url = f"{self.url}/loki/api/v1/{what}?{urllib.parse.urlencode(parameters)}"
        with urllib.request.urlopen(url, timeout=30) as response:
            return json.load(response).get("data")

    def _settings(self) -> Path:
        """Ours, but for where it listens and where its files are, which only the file can say."""
        text = (DEPLOY / "logs" / "loki" / "loki.yaml").read_text()
        settings = yaml.safe_load(text.replace(" /loki", f" {self._folder / 'loki'}"))
        http, grpc = self._ports
        settings["server"] |= {"http_listen_address": "127.0.0.1", "http_listen_port": http}
        settings["server"] |= {"grpc_listen_address": "127.0.0.1", "grpc_listen_port": grpc}
        settings["common"]["instance_addr"] = "127.0.0.1"
        path = self._folder / "loki.yaml"
        path.write_text(yaml.safe_dump(settings))
        return path


@contextmanager
def loki(folder: Path) -> Generator[Loki]:
    """Loki that runs; without a program the test is skipped with the reason."""
    server = Loki(folder)
    try:
        server.start()
        yield server
    finally:
        server.kill()
