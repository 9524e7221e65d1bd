"""A worker whose lines an agent ships into a Loki: all of them real, and all of them with our settings."""

import json
import re
import urllib.request
from collections.abc import Callable, Generator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import NamedTuple

from manifests.alloy import alloy
from manifests.collector import collector
from manifests.container import Container, container
from manifests.loki import Line, Loki, loki

WORKERS = '{service_name="penstock-worker"}'
"""What finds all of a worker's lines."""


class Shipped(NamedTuple):
    """A worker whose lines go to Loki."""

    worker: Container
    server: Loki

    def arrived(self) -> None:
        """Return once as many lines are there as were written."""
        self.server.until(
            lambda: len(self.server.lines(WORKERS)) >= len(self.worker.lines),
            lambda: f"{len(self.server.lines(WORKERS))} lines of {len(self.worker.lines)} are there",
        )

    def dropped(self) -> dict[str, int]:
        """Log lines that the worker has lost, by reason."""
        url = self.worker.wait_for_line(r"Running on (http[^\s\"]+)")[1]
        with urllib.request.urlopen(f"{url}/metrics", timeout=30) as answer:
            text = answer.read().decode()
        found = re.findall(r'_dropped_total{signal="logs",reason="(\w+)"} (\d+)', text)
        return {reason: int(lines) for reason, lines in found}


class Agent(NamedTuple):
    """Who ships them: run with the files to read and Loki's URL."""

    run: Callable[[Path, str, str], AbstractContextManager[None]]
    labels: set[str]
    """What may tell streams apart: each has few values."""
    event: Callable[[Line], str | None]
    """What the worker said, in one of Loki's lines."""


def by_collector(folder: Path, logs: str, url: str) -> AbstractContextManager[None]:
    """filelog.yaml."""
    return collector("filelog.yaml", folder, LOGS=logs, LOGS_ENDPOINT=f"{url}/otlp")


def said_by_collector(line: Line) -> str | None:
    """The line is what happened; all else stands beside it."""
    return line.text


def said_by_alloy(line: Line) -> str | None:
    """The line is the JSON that was written."""
    event: str = json.loads(line.text)["event"]
    return event


COLLECTOR = Agent(by_collector, {"service_name", "k8s_namespace_name"}, said_by_collector)
ALLOY = Agent(alloy, {"service_name", "namespace", "app", "component", "level"}, said_by_alloy)


@contextmanager
def shipped(folder: Path, redis: str, agent: Agent) -> Generator[Shipped]:
    """Loki, the agent, and a worker that has started."""
    pods = folder / "pods"
    command = ("worker", "manifests.wordy:modules", "--redis", redis, "--log-format", "json")
    with (
        loki(folder) as server,
        agent.run(folder, f"{pods}/penstock_*/penstock/*.log", server.url),
        container(pods, *command, "--metrics-bind", "127.0.0.1:0") as worker,
    ):
        worker.wait_for_line("worker started")
        yield Shipped(worker, server)
