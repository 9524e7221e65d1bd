"""Batches over HTTP: success is what a collector accepted, and no collector holds the exporter for long."""

import socket
import ssl
import threading
from base64 import b64decode
from contextlib import ExitStack

import pytest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExportResult
from structlog.testing import capture_logs

from support.tls_proxy import CERTIFICATE
from telemetry_jaeger.rig import SOON, answering, collector, exporter, span, within_bounds

SUCCESS, FAILURE = SpanExportResult.SUCCESS, SpanExportResult.FAILURE
SHORT = 0.2
"""Seconds that a post may take, where the collector is not going to answer in time."""


def heavy_span(weight: int) -> ReadableSpan:
    """A span with so many bytes of text."""
    return span(2, attributes={"text": "x" * weight})


def test_a_batch_is_one_post() -> None:
    """Whatever its size, as Jaeger's collector takes it: path, query and kind of content."""
    with collector() as receiver:
        sending = exporter(ENDPOINT=receiver.endpoint)
        assert sending.export([span(1), heavy_span(70_000), span(3)]) is SUCCESS

        assert [len(batch.spans) for batch in receiver.batches] == [3]
        assert receiver.paths == ["/api/traces?format=jaeger.thrift"]
        assert receiver.headers[0]["Content-Type"] == "application/x-thrift"
        assert receiver.headers[0]["Host"] == f"127.0.0.1:{receiver.server_port}"
        assert "Authorization" not in receiver.headers[0]
    assert sending.oversized == 0


def test_user_and_password_are_sent() -> None:
    """Basic authentication, in UTF-8 (RFC 7617)."""
    with collector() as receiver:
        assert exporter(ENDPOINT=receiver.endpoint, USER="anna", PASSWORD="a:bß").export([span()]) is SUCCESS

        scheme, credentials = receiver.headers[0]["Authorization"].split()
    assert (scheme, b64decode(credentials).decode()) == ("Basic", "anna:a:bß")


@pytest.mark.parametrize("status", [301, 400, 401, 404, 429, 500, 503])
def test_any_answer_but_success_is_a_failure(status: int) -> None:
    """The reason is in the log, once for a time of trouble; so is its end."""
    with collector() as receiver, capture_logs() as lines:
        receiver.answer = status
        sending = exporter(ENDPOINT=receiver.endpoint)
        assert [sending.export([span()]) for _ in range(2)] == [FAILURE, FAILURE]
        receiver.answer = 202
        assert [sending.export([span()]) for _ in range(2)] == [SUCCESS, SUCCESS]

    told = [(line["log_level"], line["event"]) for line in lines[1:]]
    assert told == [("warning", "spans cannot be sent"), ("info", "Jaeger takes spans again")]
    assert f"HTTP status {status}" in lines[1]["error"]


def test_a_refused_connection_is_a_failure() -> None:
    """Nobody listens: no exception leaves, and the next batch is tried anew."""
    with socket.socket() as unbound:
        unbound.bind(("127.0.0.1", 0))  # bound but not listening: connections are refused
        sending = exporter(ENDPOINT=f"http://127.0.0.1:{unbound.getsockname()[1]}/api/traces")
        assert [sending.export([span()]) for _ in range(2)] == [FAILURE, FAILURE]


def test_a_collector_that_never_answers_is_left_after_the_timeout() -> None:
    """It takes the connection and the post, and then is silent."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        sending = exporter(ENDPOINT=f"http://127.0.0.1:{silent.getsockname()[1]}/", TIMEOUT=SHORT)
        assert within_bounds(lambda: sending.export([span()])) is FAILURE


def test_a_collector_that_does_not_read_is_left_after_the_timeout() -> None:
    """More than the kernel's buffers hold does not leave."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        sending = exporter(ENDPOINT=f"http://127.0.0.1:{silent.getsockname()[1]}/", TIMEOUT=SHORT)
        assert within_bounds(lambda: sending.export([heavy_span(20_000_000)])) is FAILURE


def test_a_collector_that_reads_slowly_is_left_after_the_timeout() -> None:
    """It would take everything, but in ten times the time; it never gets to the end."""
    over = threading.Event()
    taken = [0]

    def sip(connection: socket.socket) -> None:
        for sips in range(1, 201):
            while taken[0] < sips * 200_000:
                taken[0] += len(connection.recv(0xFFFF)) or 1_000_000_000  # the client has left
            over.wait(SHORT / 20)

    with answering(sip) as port:
        sending = exporter(ENDPOINT=f"http://127.0.0.1:{port}/", TIMEOUT=SHORT)
        assert within_bounds(lambda: sending.export([heavy_span(40_000_000)])) is FAILURE
        over.set()
    assert taken[0] > 1_000_000_000


def test_a_collector_that_does_not_even_connect_is_left_after_the_timeout() -> None:
    """Its queue of connections is full, so that the handshake of TCP is never completed."""
    with ExitStack() as stack:
        full = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=0))
        for _ in range(4):
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(full.getsockname())
        sending = exporter(ENDPOINT=f"http://127.0.0.1:{full.getsockname()[1]}/", TIMEOUT=SHORT)
        assert within_bounds(lambda: sending.export([span()])) is FAILURE


def test_a_collector_that_trickles_is_left_after_the_timeout() -> None:
    """The bound is for the whole answer, not for each byte of it."""
    over = threading.Event()

    def trickle(connection: socket.socket) -> None:
        for byte in b"HTTP/1.1 2" + 1000 * b"0":
            connection.send(bytes((byte,)))
            over.wait(SHORT / 2)

    with answering(trickle) as port:
        sending = exporter(ENDPOINT=f"http://127.0.0.1:{port}/", TIMEOUT=SHORT)
        assert within_bounds(lambda: sending.export([span()])) is FAILURE
        over.set()


@pytest.mark.parametrize("answer", [b"", b"HTTP/1.1", b"SSH-2.0-OpenSSH_9.6\r\n"])
def test_what_is_no_answer_of_http_is_a_failure(answer: bytes) -> None:
    """Closed early, or some other service."""

    def say(connection: socket.socket) -> None:
        connection.recv(0xFFFF)
        connection.sendall(answer)

    with answering(say) as port:
        assert exporter(ENDPOINT=f"http://127.0.0.1:{port}/").export([span()]) is FAILURE


def test_shutdown_ends_a_post_that_waits() -> None:
    """From another thread, long before the timeout."""
    taken, over = threading.Event(), threading.Event()

    def take(connection: socket.socket) -> None:
        connection.recv(0xFFFF)
        taken.set()
        over.wait(SOON)

    with answering(take) as port:
        sending = exporter(ENDPOINT=f"http://127.0.0.1:{port}/", TIMEOUT=600)

        def shut_down() -> None:
            taken.wait(SOON)
            sending.shutdown()
            sending.shutdown()

        other = threading.Thread(target=shut_down)
        other.start()
        assert within_bounds(lambda: sending.export([span()])) is FAILURE
        other.join()
        over.set()
    assert sending.export([span()]) is FAILURE


def test_a_certificate_has_to_be_trusted(monkeypatch: pytest.MonkeyPatch) -> None:
    """By the machine's own list, or the one that SSL_CERT_FILE names."""
    server = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    server.load_cert_chain(CERTIFICATE, CERTIFICATE.with_suffix(".key"))
    with collector(server) as receiver:
        endpoint = f"https://localhost:{receiver.server_port}/api/traces"
        assert exporter(ENDPOINT=endpoint, TIMEOUT=SOON).export([span()]) is FAILURE
        assert receiver.bodies == []

        monkeypatch.setenv("SSL_CERT_FILE", str(CERTIFICATE))
        assert exporter(ENDPOINT=endpoint, TIMEOUT=SOON).export([span()]) is SUCCESS
        assert len(receiver.batches) == 1
