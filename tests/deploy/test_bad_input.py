"""Whatever goes wrong is one line on stderr that names the thing and the remedy, and an exit code."""

import socket
from pathlib import Path

import pytest

from support.processes import Process, Start, free_port

APP = "support.application:trial"


def complaint(process: Process) -> tuple[int, str]:
    """Exit code and the one line."""
    code = process.wait()
    assert len(process.err) == 1, str(process)
    prefix, _, text = process.err[0].partition("penstock: ")
    assert prefix == "", str(process)
    return code, text


@pytest.mark.parametrize(
    ("command", "message"),
    [
        ("frobnicate", "No such command 'frobnicate'. See `penstock --help`."),
        ("worker", "Missing argument 'APP'. See `penstock worker --help`."),
        (f"worker {APP} --concurency 3", "No such option '--concurency'"),
        (f"worker {APP} --concurrency many", "'many' is not a valid integer range"),
        (f"worker {APP} --concurrency 0", "0 is not in the range 1<=x<=10000"),
        (f"worker {APP} --lease 0.1", "0.1 is not in the range"),
        (f"worker {APP} --queues default,No!", "'No!' cannot name a queue"),
        (f"worker {APP} --log-level loud", "'loud' is not one of 'debug', 'info', 'warning', 'error'"),
        (f"worker {APP} --redis http://localhost", "http://localhost is no Redis URL that can be used"),
        (f"worker {APP} --metrics-bind nowhere", "cannot serve on nowhere: expected host:port"),
        (f"api {APP} --bind 8181", "cannot serve on 8181: expected host:port"),
        (f"api {APP} --bind 0.0.0.0:0", "everybody who reaches that address could submit"),
        (
            f"api {APP} --spans-file /no/such/folder/spans",
            "spans cannot be written to /no/such/folder/spans",
        ),
        ("api nothing", "APP 'nothing' does not name an application: expected package.module:attribute"),
        ("api no_such_module:app", "there is no module 'no_such_module' in "),
        ("api support.application:trail", "has no 'trail'; did you mean trial"),
        ("api support.application:number", "is of type int: expected a Module, a list"),
        ("dev support.application:nothing", "is empty: expected a Module, a list"),
        (f"dev {APP} --data /dev/null/data", "data folder /dev/null/data/valkey cannot be used"),
        (
            f"dev {APP} --redis-server no-such-server",
            "--redis-server no-such-server: there is no such program",
        ),
        ("submit trial.add left", "'left' is no argument for a job: expected key=value."),
        ("submit trial.add left=1 --api localhost:8181", "--api localhost:8181: expected the URL of an API"),
        (f"submit trial.ad left=1 --app {APP}", "no job is named 'trial.ad'; did you mean trial.add"),
        (f"submit trial.add left=one --app {APP}", "trial.add: Expected `int`, got `str`"),
        (f"submit trial.add left=1 --queue No --app {APP}", "'No' cannot name a queue"),
    ],
)
def test_misuse(start: Start, command: str, message: str) -> None:
    """A wrong command line or setting ends with exit code 2."""
    code, text = complaint(start(*command.split(" ")))

    assert message in text
    assert code == 2


def test_misuse_by_variable(start: Start) -> None:
    """A wrong environment variable is named as such."""
    code, text = complaint(start("worker", APP, PENSTOCK_CONCURRENCY="many"))

    assert "PENSTOCK_CONCURRENCY" in text
    assert code == 2


@pytest.mark.parametrize("command", ["check", f"submit trial.add left=1 --app {APP}"])
def test_redis_is_away(start: Start, command: str) -> None:
    """Commands that are over soon say that nobody answers, and fail with exit code 1."""
    url = f"redis://127.0.0.1:{free_port()}/0"

    code, text = complaint(start(*command.split(" "), "--redis", url))

    assert url in text
    assert "gave no answer" in text
    assert code == 1


def test_api_is_away(start: Start) -> None:
    """Without an API, submit says how to start one."""
    code, text = complaint(start("submit", "trial.add", "--api", f"http://127.0.0.1:{free_port()}"))

    assert "cannot be reached" in text
    assert "`penstock dev APP`" in text
    assert code == 1


@pytest.mark.parametrize(
    ("command", "option"), [("api", "--bind"), ("dev", "--bind"), ("worker", "--metrics-bind")]
)
def test_port_in_use(start: Start, command: str, option: str) -> None:
    """A taken port is named, with the remedy; also by `dev`, which has much running by then."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        place = f"127.0.0.1:{taken.getsockname()[1]}"
        code, text = complaint(start(command, APP, option, place, "--log-level", "error"))

    assert f"cannot serve on {place}: something listens there already" in text
    assert code == 2


def test_traceback_on_demand(start: Start) -> None:
    """--debug, before or behind the command, shows where an error comes from."""
    for command in (["--debug", "api", "nothing"], ["api", "nothing", "--debug"]):
        process = start(*command)
        assert process.wait() == 1
        assert process.err[0] == "Traceback (most recent call last):"
        assert "ConfigurationError: APP 'nothing'" in process.err[-1]


def test_import_error_is_placed(start: Start, tmp_path: Path) -> None:
    """An application that fails to import is blamed with file and line, in the current directory."""
    (tmp_path / "shop.py").write_text("from penstock.engine import Modul\n")

    code, text = complaint(start("api", "shop:app"))

    assert "cannot import name 'Modul' from 'penstock.engine'" in text
    assert f"({tmp_path}/shop.py:1)" in text
    assert code == 2
