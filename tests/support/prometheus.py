"""A real Prometheus that scrapes what a test tells it to, every second, and answers queries."""

import json
import subprocess
import time
import urllib.parse
import urllib.request
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from support.debian_tools import folder_of
from support.processes import Process, free_port

WITHIN = 60.0
"""Seconds that a query may take to come true on a machine that is swamped."""


class Prometheus:
    """A server that runs; `url` is its address."""

    def __init__(self, url: str) -> None:
        self.url = url

    def query(self, expression: str) -> dict[str, float]:
        """The value of each series now, by its labels as JSON."""
        found = self._ask("query", query=expression)["result"]
        return {json.dumps(one["metric"], sort_keys=True): float(one["value"][1]) for one in found}

    def value(self, expression: str) -> float | None:
        """The value of the one series that the expression yields; None where there is none."""
        [value] = self.query(expression).values() or [None]
        return value

    def wait_for(self, expression: str, wanted: float) -> None:
        """Return once the expression has that value."""
        self.wait_until(lambda: self.value(expression) == wanted, lambda: f"{expression} is not {wanted}")

    def wait_until(self, true: Callable[[], bool], what: Callable[[], str]) -> None:
        """Return once `true` is; what Prometheus knows changes with its scrapes, and it tells nobody."""
        deadline = time.monotonic() + WITHIN
        while not true():
            if time.monotonic() > deadline:
                raise AssertionError(f"{what()} within {WITHIN} s; its targets: {self.targets()}")
            time.sleep(0.1)

    def exemplars(self, selector: str) -> list[dict[str, Any]]:
        """The exemplars of the last hour: `labels`, `value`, `timestamp`."""
        now = time.time()
        found = self._ask("query_exemplars", query=selector, start=str(now - 3600), end=str(now + 3600))
        return [exemplar for series in found for exemplar in series["exemplars"]]

    def declared(self, name: str) -> bool:
        """Whether a process that is scraped has such a family, be it without series so far."""
        bare = name.removesuffix("_total")  # OpenMetrics declares a counter without it
        return bool(self._ask("metadata", metric=name) or self._ask("metadata", metric=bare))

    def targets(self) -> dict[str, tuple[str, str]]:
        """Health and last error of each target, by the name of its scrape job."""
        found = self._ask("targets")["activeTargets"]
        return {one["labels"]["job"]: (one["health"], one["lastError"]) for one in found}

    def _ask(self, what: str, **parameters: str) -> Any:
        url = f"{self.url}/api/v1/{what}?{urllib.parse.urlencode(parameters)}"
        with urllib.request.urlopen(url, timeout=30) as response:
            return json.load(response)["data"]


def tools() -> Path:
    """The folder of `prometheus` and `promtool`; skips or fails as `folder_of`."""
    return folder_of("Prometheus")


def check_metrics(body: bytes) -> tuple[int, str]:
    """What `promtool check metrics` says of a text exposition: its exit code, and what it objects to.

    1 is for what cannot be parsed, 3 for what is bad style.
    """
    command = [str(tools() / "promtool"), "check", "metrics"]
    check = subprocess.run(command, input=body, capture_output=True, timeout=60, check=False)
    return check.returncode, (check.stdout + check.stderr).decode()


@contextmanager
def prometheus(
    folder: Path, targets: Mapping[str, str], *, rules: Sequence[Path] = (), honor_labels: bool = False
) -> Generator[Prometheus]:
    """Run a server that scrapes `targets` (URLs by the name of the scrape job) every second.

    It evaluates `rules` as often. With `honor_labels` our label `job` keeps its name.
    """
    binary, port = tools() / "prometheus", free_port()
    config = folder / "prometheus.yml"
    jobs = [
        {
            "job_name": name,
            "honor_labels": honor_labels,
            "static_configs": [{"targets": [urlsplit(url).netloc]}],
        }
        for name, url in targets.items()
    ]
    every = {"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "1s"}
    settings = {"global": every, "scrape_configs": jobs, "rule_files": [str(file) for file in rules]}
    config.write_text(json.dumps(settings))  # JSON is YAML
    server = Process(
        [
            str(binary),
            f"--config.file={config}",
            f"--storage.tsdb.path={folder / 'tsdb'}",
            f"--web.listen-address=127.0.0.1:{port}",
            "--enable-feature=exemplar-storage",
            "--log.level=info",
        ],
        env={},
        cwd=folder,
    )
    try:
        server.wait_for_line("Server is ready to receive web requests")
        yield Prometheus(f"http://127.0.0.1:{port}")
    finally:
        server.kill()
