"""Spans to send, and who takes them: a UDP port, an HTTP server, and several that are not well."""

import socket
import ssl
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, TypeVar, cast

from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.trace import SpanContext, TraceFlags

from penstock.telemetry.export.jaeger import JaegerSpanExporter, jaeger_exporter
from telemetry_jaeger.wire import Batch, batch_of_datagram, batch_of_post

SOON = 10.0
"""Seconds; a bound, not a wait."""
TRACE = 0xFEDC_BA98_7654_3210_8123_4567_89AB_CDEF
"""A trace id whose halves are negative as signed numbers."""
T = TypeVar("T")


def context(span_id: int, trace_id: int = TRACE) -> SpanContext:
    """The context of a sampled span."""
    return SpanContext(trace_id, span_id, is_remote=False, trace_flags=TraceFlags(1))


def span(number: int = 1, **fields: Any) -> ReadableSpan:
    """A finished span; `number` is its id, and what is not given is plain."""
    given: dict[str, Any] = {
        "name": "process media",
        "context": context(number),
        "resource": Resource({"service.name": "demo"}),
        "start_time": 1_700_000_000_000_000_000,
        "end_time": 1_700_000_000_250_000_000,
    }
    return ReadableSpan(**{**given, **fields})


def exporter(**variables: object) -> JaegerSpanExporter:
    """An exporter of the service `fallback`; names without their common beginning."""
    environ = {f"OTEL_EXPORTER_JAEGER_{name}": str(value) for name, value in variables.items()}
    return jaeger_exporter("fallback", environ)


def within_bounds(function: Callable[[], T]) -> T:
    """What `function` returns, in a thread of its own; fails where it does not come back."""
    results: list[T] = []
    thread = threading.Thread(target=lambda: results.append(function()), daemon=True)
    thread.start()
    thread.join(SOON)
    assert not thread.is_alive(), "it did not come back"
    return results[0]


class Agent:
    """A UDP port that keeps what it gets in the kernel's buffer until somebody asks."""

    def __init__(self, host: str) -> None:
        self.socket = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_DGRAM)
        # As much as is allowed: with Linux's defaults that is room for six of the largest.
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
        self.socket.bind((host, 0))
        self.socket.settimeout(SOON)
        self.port: int = self.socket.getsockname()[1]

    def datagrams(self, count: int) -> list[bytes]:
        """The first `count`; fails if there are more."""
        found = [self.socket.recv(0xFFFF) for _ in range(count)]
        assert self.left() == b""
        return found

    def all_so_far(self) -> list[bytes]:
        """Everything that has come."""
        found: list[bytes] = []
        while datagram := self.left():
            found.append(datagram)
        return found

    def left(self) -> bytes:
        """The next that has come, or nothing."""
        self.socket.setblocking(False)
        try:
            return self.socket.recv(0xFFFF)
        except BlockingIOError:
            return b""
        finally:
            self.socket.settimeout(SOON)

    def batches(self, count: int = 1) -> list[Batch]:
        """The first `count`, decoded."""
        return [batch_of_datagram(datagram) for datagram in self.datagrams(count)]


@contextmanager
def agent(host: str = "127.0.0.1") -> Generator[Agent]:
    """Jaeger's UDP port."""
    receiver = Agent(host)
    with receiver.socket:
        yield receiver


class Collector(ThreadingHTTPServer):
    """Jaeger's HTTP port; keeps paths, headers and bodies."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.endpoint = f"http://127.0.0.1:{self.server_port}/api/traces?format=jaeger.thrift"
        self.bodies: list[bytes] = []
        self.headers: list[dict[str, str]] = []
        self.paths: list[str] = []
        self.answer = 202
        """The status of every answer; 202 is what Jaeger gives."""

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing: clients that do not trust the certificate leave."""

    @property
    def batches(self) -> list[Batch]:
        """All of them, decoded."""
        return [batch_of_post(body) for body in self.bodies]


class _Handler(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        server = cast(Collector, self.server)
        server.bodies.append(self.rfile.read(int(self.headers["Content-Length"])))
        server.headers.append(dict(self.headers))
        server.paths.append(self.path)
        self.send_response(server.answer)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
        """Say nothing on standard error."""


@contextmanager
def collector(tls: ssl.SSLContext | None = None) -> Generator[Collector]:
    """A running collector."""
    with Collector() as server:
        if tls is not None:
            server.socket = tls.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


@contextmanager
def answering(answer: Callable[[socket.socket], object]) -> Generator[int]:
    """The port of a server that does `answer` with its first connection, in a thread, until it is closed."""

    def serve() -> None:
        try:
            connection, _ = listener.accept()
            with connection:
                answer(connection)
        except OSError:
            pass  # the client has left, or nobody came

    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(SOON)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 16)  # its connections inherit it
        thread = threading.Thread(target=serve)
        thread.start()
        yield listener.getsockname()[1]
        thread.join()
