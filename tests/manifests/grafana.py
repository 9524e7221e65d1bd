"""A real Grafana with our provisioning, asked over HTTP as its pages ask it."""

import base64
import json
import re
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from manifests.built import program
from manifests.kustomized import DEPLOY
from support.processes import Process, free_port

WITHIN = 90.0
"""Seconds that a start may take on a machine that is swamped: first it lays out its database."""
ABOUT = ("access-control", "alerting", "notifiers", "plugins")
"""Folders of provisioning that its image has beside those we mount; without them it complains."""
PAGES = DEPLOY / "grafana" / "dashboards"
_DASHBOARDS = "/var/lib/grafana-dashboards"
_ADDRESS = re.compile(r"http://(prometheus|jaeger|loki):\d+")
_PASSWORD = "penstock"
_TRIPPED = "failed to create default organization"
"""On a busy machine two of its tasks make the first organization; it ends, and finds it the next time."""


class Answer(NamedTuple):
    """What it said."""

    status: int
    body: Any
    """What the JSON says; text of anything else."""


class Grafana:
    """The server; `url` is its address."""

    def __init__(self, url: str, process: Process) -> None:
        self.url = url
        self._process = process

    def ask(self, path: str, body: object = None) -> Answer:
        """GET, or POST `body`; any status is an answer."""
        data = None if body is None else json.dumps(body).encode()
        user = base64.b64encode(f"admin:{_PASSWORD}".encode()).decode()
        headers = {"Content-Type": "application/json", "Authorization": f"Basic {user}"}
        request = urllib.request.Request(f"{self.url}/api/{path}", data, headers)
        try:
            with urllib.request.urlopen(request, timeout=60) as response:
                return Answer(response.status, _read(response.read()))
        except urllib.error.HTTPError as error:
            with error:
                return Answer(error.code, _read(error.read()))

    def get(self, path: str, **parameters: str) -> Any:
        """What it answers with 200."""
        answer = self.ask(f"{path}?{urllib.parse.urlencode(parameters)}" if parameters else path)
        assert answer.status == 200, f"{path}: {answer}"
        return answer.body

    def through(self, source: str, path: str, **parameters: str) -> Any:
        """What a data source answers to the browser, by way of Grafana."""
        return self.get(f"datasources/proxy/uid/{source}/{path}", **parameters)

    def lines(self) -> list[dict[str, str]]:
        """What it has logged, each as a dictionary."""
        return [json.loads(line) for line in self._process.out if line.startswith("{")]


@contextmanager
def grafana(folder: Path, **urls: str) -> Generator[Grafana]:
    """Run it with the variables and files of deploy/; where none has been built, the test is skipped.

    `urls` are the addresses of data sources by their host names there; one that is not given is nobody's.
    """
    binary, port = Path(program("grafana")), free_port()
    settings = {
        **_deployed(),
        "GF_SERVER_HTTP_ADDR": "127.0.0.1",
        "GF_SERVER_HTTP_PORT": str(port),
        "GF_PATHS_DATA": str(folder / "data"),
        "GF_PATHS_LOGS": str(folder / "logs"),
        "GF_PATHS_PLUGINS": str(folder / "plugins"),
        "GF_PATHS_PROVISIONING": str(_provisioning(folder, urls)),
        "GF_LOG_MODE": "console",
        "GF_LOG_CONSOLE_FORMAT": "json",
    }
    process = Process([str(binary), "server", "--homepath", str(_home(binary))], env=settings, cwd=folder)
    try:
        if not process.wait_for_line(f"HTTP Server Listen|{_TRIPPED}", within=WITHIN)[0].startswith("HTTP"):
            process.kill()
            process = Process(process.command, env=settings, cwd=folder)
            process.wait_for_line("HTTP Server Listen", within=WITHIN)
        server = Grafana(f"http://127.0.0.1:{port}", process)
        _wait_for_pages(server)
        yield server
    finally:
        process.kill()


def _wait_for_pages(server: Grafana) -> None:
    """It reads them while it listens already, and not all versions say when they have done so."""
    deadline = time.monotonic() + WITHIN
    wanted = [json.loads(path.read_text())["uid"] for path in PAGES.iterdir()]
    while missing := [uid for uid in wanted if server.ask(f"dashboards/uid/{uid}").status != 200]:
        assert time.monotonic() < deadline, (missing, server.lines())
        time.sleep(0.1)


def _home(binary: Path) -> Path:
    """Where its defaults and plugins are: beside it or above, or where packages put them."""
    resolved = binary.resolve()
    homes = (resolved.parent, resolved.parent.parent, Path("/usr/share/grafana"))
    return next(home for home in homes if (home / "conf" / "defaults.ini").exists())


def _deployed() -> dict[str, str]:
    """The variables of the Deployment, with what this machine has; the image reads the password's file."""
    objects = yaml.safe_load_all((DEPLOY / "k8s" / "monitoring" / "grafana" / "grafana.yaml").read_text())
    [container] = next(objects)["spec"]["template"]["spec"]["containers"]
    env = {one["name"]: one["value"] for one in container["env"]}
    del env["GF_SECURITY_ADMIN_PASSWORD__FILE"]
    here = {name: value.replace(_DASHBOARDS, str(PAGES)) for name, value in env.items()}
    return {**here, "GF_SECURITY_ADMIN_PASSWORD": _PASSWORD}


def _provisioning(folder: Path, urls: Mapping[str, str]) -> Path:
    """Our files, with these addresses and paths."""
    made = folder / "provisioning"
    for name in ("datasources", "dashboards", *ABOUT):
        (made / name).mkdir(parents=True)
    ours = DEPLOY / "grafana" / "provisioning"
    assert [path.name for path in ours.iterdir()] == ["datasources"]
    for path in (ours / "datasources").iterdir():
        text = _ADDRESS.sub(lambda found: urls.get(found[1], "http://127.0.0.1:9"), path.read_text())
        (made / "datasources" / path.name).write_text(text)
    provider = (DEPLOY / "k8s" / "monitoring" / "grafana" / "provider.yaml").read_text()
    (made / "dashboards" / "provider.yaml").write_text(provider.replace(_DASHBOARDS, str(PAGES)))
    return made


def _read(body: bytes) -> Any:
    try:
        return json.loads(body)
    except ValueError:
        return body.decode(errors="replace")
