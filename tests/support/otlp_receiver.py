"""A collector for tests: takes OTLP over HTTP on a free loopback port and decodes what it is sent."""

import threading
from collections.abc import Generator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import cast

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span


class OTLPReceiver(ThreadingHTTPServer):
    """Keeps every span it was sent; `endpoint` is the base address exporters are given."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.endpoint = f"http://127.0.0.1:{self.server_port}"
        self.requests: list[ExportTraceServiceRequest] = []
        self.paths: list[str] = []
        self.answer = 200
        """The status of every answer."""

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
    def do_POST(self) -> None:
        receiver = cast(OTLPReceiver, self.server)
        body = self.rfile.read(int(self.headers["Content-Length"]))
        receiver.paths.append(self.path)
        receiver.requests.append(ExportTraceServiceRequest.FromString(body))
        self.send_response(receiver.answer)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
        """Say nothing on standard error."""


@contextmanager
def otlp_receiver() -> Generator[OTLPReceiver]:
    """A running receiver."""
    with OTLPReceiver() as receiver:
        thread = threading.Thread(target=receiver.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield receiver
        finally:
            receiver.shutdown()
            thread.join()
