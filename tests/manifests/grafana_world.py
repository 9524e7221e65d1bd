"""Everything that Grafana asks, real: a system at work, its Prometheus, its Jaeger, and its lines in Loki."""

import json
import subprocess
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from dashboards.live import system, work, write
from dashboards.test_live import LOAD
from manifests.container import POD, as_a_runtime_writes
from manifests.kustomized import ROOT
from manifests.loki import Loki, loki
from manifests.shipping import WORKERS, Agent
from support.processes import processes
from support.prometheus import Prometheus
from support.redis_server import DURABLE, valkey_server
from verify.programs.jaeger import Jaeger
from verify.programs.keeper import Keeper


class World(NamedTuple):
    """What has worked for a minute, and runs."""

    prometheus: Prometheus
    jaeger: Jaeger
    lines: list[str]
    """That the workers have written."""

    @property
    def failures(self) -> list[dict[str, Any]]:
        """Those of attempts without success."""
        records = [json.loads(line) for line in self.lines]
        return [one for one in records if one.get("outcome") in ("retry", "dead")]


@contextmanager
def world(folder: Path) -> Generator[World]:
    """Run it all, and let a minute of load pass; skips where Jaeger has not been built."""
    with (
        _jaeger(folder) as jaeger,
        valkey_server(*DURABLE, tcp=True) as valkey,
        processes(folder) as start,
        system(start, valkey.url, folder, jaeger.otlp) as running,
    ):
        write(folder, 20)
        work(running.api, LOAD)
        yield World(running.prometheus, jaeger, [line for line in running.worker.err if line.startswith("{")])


@contextmanager
def lines_in_loki(folder: Path, lines: list[str], agent: Agent) -> Generator[Loki]:
    """A Loki that `agent` has brought these lines, from a file as a container's runtime writes it."""
    log = folder / "pods" / POD / "penstock" / "0.log"
    log.parent.mkdir(parents=True)
    log.write_text("".join(as_a_runtime_writes(line) for line in lines))
    with (
        loki(folder) as server,
        agent.run(folder, str(folder / "pods" / "penstock_*" / "penstock" / "*.log"), server.url),
    ):
        server.until(
            lambda: len(server.lines(WORKERS)) >= len(lines),
            lambda: f"{len(server.lines(WORKERS))} lines of {len(lines)} are there",
        )
        yield server


@contextmanager
def _jaeger(folder: Path) -> Generator[Jaeger]:
    keeper = Keeper()
    server = Jaeger(_had(), folder, keeper)
    try:
        server.start()
        yield server
    finally:
        server.kill()
        keeper.close()


def _had() -> Path:
    command = [str(ROOT / ".ci" / "verify-tools"), "jaeger", "--if-built"]
    found = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    if found.returncode != 0:
        pytest.skip(found.stderr.strip())
    return Path(found.stdout.strip())
