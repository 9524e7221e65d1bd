"""A collector for tests: takes OTLP over HTTP on a free loopback port and decodes what it is sent."""

import gzip
import ssl
import threading
from collections import deque
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import NamedTuple, cast

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.trace.v1.trace_pb2 import Span

_TLS = Path(__file__).parent / "tls"
CERTIFICATE = _TLS / "localhost.pem"
"""What a client must trust to speak to a receiver with TLS."""


class Answer(NamedTuple):
    """What a request is answered."""

    status: int = 200
    headers: Mapping[str, str] = {}
    body: bytes = b""


def partial_success(rejected: int) -> Answer:
    """A success with so many spans rejected."""
    response = ExportTraceServiceResponse()
    response.partial_success.rejected_spans = rejected
    return Answer(body=response.SerializeToString())


class OTLPReceiver(ThreadingHTTPServer):
    """Keeps every span it was sent; `endpoint` is the base address exporters are given."""

    daemon_threads = True

    def __init__(self, *, tls: bool = False) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        if tls:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(CERTIFICATE, _TLS / "localhost.key")
            self.socket = context.wrap_socket(self.socket, server_side=True)
        self.endpoint = f"http{'s' if tls else ''}://127.0.0.1:{self.server_port}"
        self.requests: list[ExportTraceServiceRequest] = []
        """Of every request, refused ones too."""
        self.paths: list[str] = []
        self.headers: list[dict[str, str]] = []
        """By lower-case names."""
        self.answer = 200
        """The status of every answer that is not one of `answers`."""
        self.answers: deque[Answer] = deque()
        """What the next requests are answered, one each."""
        self.held: threading.Event | None = None
        """Where there is one, answers wait until it is set."""
        self.late = 0.0
        """Seconds until an answer is given."""
        self.keeps = True
        """Whether it looks at what it is sent."""
        self._came = threading.Condition()
        self._stopped = threading.Event()

    def wait_for_requests(self, count: int, timeout: float) -> bool:
        """Block until so many requests came, at most `timeout` seconds."""
        with self._came:
            return self._came.wait_for(lambda: len(self.requests) >= count, timeout)

    def take(self, path: str, headers: dict[str, str], body: bytes) -> Answer:
        """Keep a request; what to answer."""
        self._stopped.wait(self.late)
        if not self.keeps:
            return Answer(self.answer)
        if headers.get("content-encoding") == "gzip":
            body = gzip.decompress(body)
        with self._came:
            self.paths.append(path)
            self.headers.append(headers)
            self.requests.append(ExportTraceServiceRequest.FromString(body))
            answer = self.answers.popleft() if self.answers else Answer(self.answer)
            self._came.notify_all()
        if self.held is not None:
            self.held.wait()
        return answer

    def let_go(self) -> None:
        """Answer whoever still waits."""
        self._stopped.set()
        if self.held is not None:
            self.held.set()

    @property
    def spans(self) -> list[Span]:
        """All spans, in the order they came."""
        return [
            span
            for request in self.requests
            for resource in request.resource_spans
            for scope in resource.scope_spans
            for span in scope.spans
        ]

    @property
    def resource(self) -> dict[str, str]:
        """The string attributes of the resource that sent first."""
        attributes = self.requests[0].resource_spans[0].resource.attributes
        return {pair.key: pair.value.string_value for pair in attributes}


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"  # connections are kept, as with a real one

    def do_POST(self) -> None:
        receiver = cast(OTLPReceiver, self.server)
        body = self.rfile.read(int(self.headers["Content-Length"]))
        headers = {name.lower(): value for name, value in self.headers.items()}
        answer = receiver.take(self.path, headers, body)
        self.send_response(answer.status)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(answer.body)))
        self.end_headers()
        self.wfile.write(answer.body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
        """Say nothing on standard error."""


@contextmanager
def otlp_receiver(*, tls: bool = False) -> Generator[OTLPReceiver]:
    """A running receiver; what it holds is let go at the end."""
    with OTLPReceiver(tls=tls) as receiver:
        thread = threading.Thread(target=receiver.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield receiver
        finally:
            receiver.let_go()
            receiver.shutdown()
            thread.join()
