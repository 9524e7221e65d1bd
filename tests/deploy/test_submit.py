"""`penstock submit`: both ways in, what is printed, and how it ends."""

import http.server
import re
import threading
from collections.abc import Generator
from contextlib import contextmanager

import pytest

from support.processes import Process, Start
from support.redis_server import ValkeyServer

APP = "support.application:trial"


@pytest.fixture(params=["http", "redis"])
def way(request: pytest.FixtureRequest, start: Start, valkey: ValkeyServer) -> list[str]:
    """The options of either way; a worker is there."""
    start("worker", APP, "--redis", valkey.url)
    if request.param == "redis":
        return ["--app", APP, "--redis", valkey.url]
    api = start("api", APP, "--redis", valkey.url, "--bind", "127.0.0.1:0")
    return ["--api", api.wait_for_line(r"Running on (\S+)")[1]]


def ended(process: Process) -> tuple[int, list[str], list[str]]:
    """Exit code, names and values of what was printed."""
    code = process.wait()
    return code, [line[:10].strip() for line in process.out], [line[10:] for line in process.out]


def test_without_waiting(start: Start, way: list[str]) -> None:
    """Id, state and trace id are printed, and nothing else anywhere."""
    process = start("submit", "trial.add", "left=1", "--delay", "60", *way)

    code, names, (job_id, trace_id, state) = ended(process)

    assert (code, names, state) == (0, ["id", "trace id", "state"], "scheduled")
    assert re.fullmatch(r"default\.[0-9a-f]{28}", job_id)
    assert re.fullmatch(r"[0-9a-f]{32}", trace_id)
    assert process.err == []


def test_result(start: Start, way: list[str]) -> None:
    """--wait shows the result; values are JSON where they are JSON."""
    code, names, values = ended(start("submit", "trial.add", "left=20", "right=22", "--wait", *way))

    assert (code, names[-1], values[2], values[-1]) == (0, "result", "succeeded", "42")


def test_dead_letter(start: Start, way: list[str]) -> None:
    """A job that ends without a result is shown with its error, and the exit code says so; text is text."""
    process = start("submit", "trial.refuse", "why=no such customer", "--wait", *way)

    code, names, values = ended(process)

    assert (code, names[-1], values[2]) == (1, "error", "dead")
    assert values[-1].endswith("no such customer")


def test_an_api_on_the_line_wins_over_an_application_from_the_environment(
    start: Start, valkey: ValkeyServer
) -> None:
    """PENSTOCK_APP is often set for other commands; what was asked for here goes where it says."""
    api = start("api", APP, "--redis", valkey.url, "--bind", "127.0.0.1:0")
    url = api.wait_for_line(r"Running on (\S+)")[1]
    process = start("submit", "trial.add", "left=1", "--api", url, PENSTOCK_APP=APP)

    assert process.wait() == 0, str(process)


def test_the_same_key_submits_once(start: Start, way: list[str]) -> None:
    """Called again, it shows the first job; with other arguments it is refused."""
    once = ("submit", "trial.add", "left=1", "--delay", "60", "--idempotency-key", "k")
    _, _, (first, *_) = ended(start(*once, *way))
    _, _, (second, *_) = ended(start(*once, *way))
    other = start("submit", "trial.add", "left=2", "--idempotency-key", "k", *way)

    assert first == second
    assert other.wait() == 2
    assert "'k' was used for another submission" in other.err[0]


def test_replicas_that_are_not_there_are_not_waited_for(start: Start, way: list[str]) -> None:
    """`--wait-replicas` fails at once where the server has none; it may have some later: exit code 1."""
    process = start("submit", "trial.add", "left=1", "--wait-replicas", "1", *way)

    assert process.wait() == 1
    assert len(process.err) == 1


def test_durable(start: Start, way: list[str]) -> None:
    """`--durable` prints the id once the job is on the server's disk."""
    process = start("submit", "trial.add", "left=1", "--durable", *way)

    assert process.wait() == 0, str(process)
    assert process.out[0].startswith("id ")


def test_refused(start: Start, way: list[str]) -> None:
    """What is wrong with a submission is said in one line, the same both ways."""
    process = start("submit", "trial.add", "left=1", "wrong=2", *way)

    assert process.wait() == 2
    assert process.err == [
        "penstock: trial.add: unexpected argument `wrong`; it takes (left: int, right: int = 0)"
    ]


@contextmanager
def web_server(status: int, body: bytes) -> Generator[str]:
    """Something that is no Penstock API."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
            pass

    with http.server.HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.handle_request)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        thread.join()


@pytest.mark.parametrize(("status", "body"), [(200, b"<html>"), (200, b"{}"), (404, b"<html>"), (502, b"[]")])
def test_something_else_answers(start: Start, status: int, body: bytes) -> None:
    """Another web server at that address is told from an API."""
    with web_server(status, body) as url:
        process = start("submit", "trial.add", "--api", url)
        assert process.wait() == 1

    assert len(process.err) == 1
    assert f"what answers at {url} is no Penstock API" in process.err[0]


def test_api_that_cannot(start: Start) -> None:
    """An API that says 503 is quoted; trying again may help, so the exit code is 1."""
    with web_server(503, b'{"detail": "the store does not answer"}') as url:
        process = start("submit", "trial.add", "--api", url)
        assert process.wait() == 1

    assert process.err == [f"penstock: the API at {url} answered 503: the store does not answer"]
