"""A backend for tests that takes log records: OTLP over HTTP on a free loopback port."""

import gzip
import threading
from collections.abc import Generator, Iterable
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import cast

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import KeyValue
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord

WITHIN = 60.0
"""Seconds that records may take on a machine that is swamped."""


class LogReceiver(ThreadingHTTPServer):
    """Keeps every record it was sent; `url` is its base address."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.url = f"http://127.0.0.1:{self.server_port}"
        self.requests: list[ExportLogsServiceRequest] = []
        self._came = threading.Condition()

    @property
    def records(self) -> list[LogRecord]:
        """All records, in the order they came."""
        return [
            record
            for request in self.requests
            for resource in request.resource_logs
            for scope in resource.scope_logs
            for record in scope.log_records
        ]

    def wait_for(self, count: int) -> None:
        """Block until so many records came."""
        with self._came:
            assert self._came.wait_for(lambda: len(self.records) >= count, WITHIN), self.records

    def take(self, body: bytes) -> None:
        """Keep a request."""
        with self._came:
            self.requests.append(ExportLogsServiceRequest.FromString(body))
            self._came.notify_all()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"  # connections are kept, as with a real one

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.headers["Content-Encoding"] == "gzip":
            body = gzip.decompress(body)
        cast(LogReceiver, self.server).take(body)
        self.send_response(200)
        self.send_header("Content-Type", "application/x-protobuf")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
        """Say nothing on standard error."""


def strings(attributes: Iterable[KeyValue]) -> dict[str, str]:
    """Attributes by name; those that are no text as an empty one."""
    return {pair.key: pair.value.string_value for pair in attributes}


@contextmanager
def log_receiver() -> Generator[LogReceiver]:
    """A running receiver."""
    with LogReceiver() as receiver:
        thread = threading.Thread(target=receiver.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield receiver
        finally:
            receiver.shutdown()
            thread.join()
