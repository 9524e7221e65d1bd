"""A real Fluent Bit with our settings, where one is installed: Debian has none to be unpacked."""

import json
import shutil
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import trio
import yaml

from manifests.kustomized import DEPLOY
from support.http_receiver import CERTIFICATE, Answer, http_receiver
from support.processes import Process

NAME = "penstock-worker-6f9c7d-x7k2p"
POD = {"metadata": {"name": NAME, "namespace": "penstock", "uid": "0af7"}, "spec": {"nodeName": "node-1"}}
"""What the API server says of it."""
LOG = f"{NAME}_penstock_penstock-{'0af7' * 16}.log"
"""A container's log, as the kubelet names it in /var/log/containers: pod, namespace, container and its id."""


def installed() -> str:
    """The path of the program; without it the test is skipped with the reason."""
    program = shutil.which("fluent-bit")
    if program is None:
        pytest.skip("fluent-bit is not on the PATH, and neither Debian's release nor sid has it")
    return program


@asynccontextmanager
async def fluent_bit(name: str, folder: Path, output: dict[str, Any], **env: str) -> AsyncGenerator[Path]:
    """Run it with deploy/logs/fluent-bit/`name` in a cluster of one pod; it reads the log that is yielded.

    `output` is what the one output of the file has beside or instead of its own: where the receiver listens.
    """
    async with http_receiver(tls=True) as cluster:
        cluster.answer = Answer(body=json.dumps(POD).encode())
        settings = folder / "fluent-bit.yaml"
        settings.write_text(yaml.safe_dump(_moved(name, folder, cluster.url, output)))
        async with _running([installed(), "--config", str(settings)], folder, env):
            yield folder / "containers" / LOG
    assert {asked.target for asked in cluster.asked} == {f"/api/v1/namespaces/penstock/pods/{NAME}"}


@asynccontextmanager
async def _running(command: list[str], folder: Path, env: dict[str, str]) -> AsyncGenerator[None]:
    """Ends in order at the end of the block."""
    (folder / "containers").mkdir()
    process = Process(command, env=env, cwd=folder)
    try:
        yield
        assert await trio.to_thread.run_sync(process.terminate) == 0, process
    finally:
        process.kill()


def _moved(name: str, folder: Path, cluster: str, output: dict[str, Any]) -> dict[str, Any]:
    """The file's settings with all folders below `folder`, for that cluster."""
    text = (DEPLOY / "logs" / "fluent-bit" / name).read_text()
    text = text.replace("/var/log/containers", str(folder / "containers"))
    text = text.replace("/var/lib/fluent-bit", str(folder / "state"))
    # Part of the tag, in which the path's slashes are dots.
    text = text.replace("var.log.containers", str(folder / "containers")[1:].replace("/", "."))
    settings: dict[str, Any] = yaml.safe_load(text)
    settings["service"]["http_server"] = False  # its port is everybody's
    settings["service"]["flush"] = 0.2
    [only] = settings["pipeline"]["outputs"]
    only |= {"tls.ca_file": str(CERTIFICATE), **output}
    [pods] = [one for one in settings["pipeline"]["filters"] if one["name"] == "kubernetes"]
    (folder / "token").write_text("secret")
    pods |= {"kube_url": cluster, "kube_ca_file": str(CERTIFICATE), "kube_token_file": str(folder / "token")}
    return settings
