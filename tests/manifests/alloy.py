"""A real Alloy with our settings, where one is installed: Go's module proxy does not have its module."""

import shutil
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import pytest

from manifests.kustomized import DEPLOY
from support.processes import Process, free_port

ALLOY = DEPLOY / "logs" / "alloy"
FILES = """
import.file "penstock" {
  filename = "%(lines)s"
}

local.file_match "pods" {
  path_targets = [{
    __path__     = "%(logs)s",
    namespace    = "penstock",
    app          = "penstock",
    component    = "worker",
    service_name = "penstock-worker",
    pod          = "penstock-worker-6f9c7d-x7k2p",
    instance     = "penstock/penstock-worker-6f9c7d-x7k2p:penstock",
    job          = "loki.source.kubernetes.pods",
  }]
}

loki.source.file "pods" {
  targets    = local.file_match.pods.targets
  forward_to = [loki.process.runtime.receiver]
}

// What the API server takes off where kubernetes.alloy reads.
loki.process "runtime" {
  forward_to = [penstock.lines.pods.receiver]

  stage.cri { }

  stage.label_drop {
    values = ["filename", "flags", "stream"]
  }
}
"""
"""In place of what finds pods, reads their logs through Kubernetes and labels them, with the same labels."""


@contextmanager
def alloy(folder: Path, logs: str, url: str) -> Generator[None]:
    """Run it with lines.alloy, and kubernetes.alloy from there on, for the files `logs` and Loki at `url`."""
    settings = folder / "files.alloy"
    whole = (ALLOY / "kubernetes.alloy").read_text()
    ours = whole[whole.index('penstock.lines "pods"') :].replace("http://loki:3100", url)
    settings.write_text(FILES % {"lines": ALLOY / "lines.alloy", "logs": logs} + ours)
    options = [f"--server.http.listen-addr=127.0.0.1:{free_port()}", f"--storage.path={folder / 'alloy'}"]
    command = [installed(), "run", *options, "--disable-reporting", str(settings)]
    process = Process(command, env={}, cwd=folder)
    try:
        yield
        assert process.terminate() == 0, process
    finally:
        process.kill()


def installed() -> str:
    """The path of the program; without it the test is skipped with the reason."""
    program = shutil.which("alloy")
    if program is None:
        pytest.skip("alloy is not on the PATH, and Go's module proxy does not have its module")
    return program
