"""OTLP over real HTTP: what stands in a request, and what each answer means for the batch."""

import json
import socket
import socketserver
import threading
import time
from collections.abc import Iterator
from email.utils import formatdate
from pathlib import Path

import pytest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.trace import SpanKind

from penstock.telemetry.export.otlp_http import OtlpSender
from penstock.telemetry.export.otlp_settings import read_otlp_settings
from penstock.telemetry.export.thread import Answer
from penstock.telemetry.traces.otlp import Envelope
from penstock.telemetry.traces.provider import SCOPE
from support import otlp_receiver as collector
from support.otlp_receiver import CERTIFICATE, OTLPReceiver, otlp_receiver, partial_success
from telemetry.spans import RESOURCE, Kept, make_span

TIMEOUT = "0.2"  # seconds, where a collector is not going to answer


@pytest.fixture
def receiver() -> Iterator[OTLPReceiver]:
    """A collector."""
    with otlp_receiver() as running:
        yield running


def sender(endpoint: str, **variables: str) -> OtlpSender:
    """As the environment's variables have it."""
    settings = read_otlp_settings(
        endpoint, {f"OTEL_EXPORTER_OTLP_{name}": value for name, value in variables.items()}
    )
    assert settings is not None
    return OtlpSender(settings, Envelope(RESOURCE, SCOPE))


def encoded(count: int = 1) -> list[bytes | ReadableSpan]:
    """Spans of ours."""
    kept = Kept()
    for _ in range(count):
        make_span(kept).end()
    return [span.encode() for span in kept.spans]


def foreign(*names: str) -> list[bytes | ReadableSpan]:
    """Spans of the SDK."""
    tracer = TracerProvider(resource=RESOURCE).get_tracer("library")
    made: list[bytes | ReadableSpan] = []
    for name in names:
        span = tracer.start_span(name, kind=SpanKind.CLIENT)
        span.end()
        assert isinstance(span, ReadableSpan)
        made.append(span)
    return made


def send(to: OtlpSender, batch: list[bytes | ReadableSpan], timeout: float | None = None) -> Answer:
    """Send once, and let the connection go."""
    try:
        return to.prepare(batch)(timeout)
    finally:
        to.close()


@pytest.mark.parametrize("compression", ["gzip", "none"])
def test_a_request(receiver: OTLPReceiver, compression: str) -> None:
    """Address, headers, and all spans: ours in one list, other libraries' beside it."""
    batch = [*encoded(2), *foreign("theirs")]
    to = sender(
        receiver.endpoint, COMPRESSION=compression, HEADERS="api-key=a%20secret,content-type=text/plain"
    )
    assert send(to, batch).taken == 3

    assert receiver.paths == ["/v1/traces"]
    assert [span.name for span in receiver.spans] == ["process media", "process media", "theirs"]
    assert receiver.resource == dict(RESOURCE.attributes)
    [headers] = receiver.headers
    assert headers["api-key"] == "a secret"
    assert headers["content-type"] == "application/x-protobuf"  # nobody else knows what is in it
    assert headers.get("content-encoding", "none") == compression
    assert headers["user-agent"].startswith("penstock/")


@pytest.mark.parametrize("status", [408, 429, 502, 503, 504])
def test_a_collector_that_is_busy_is_asked_again(receiver: OTLPReceiver, status: int) -> None:
    """When it likes: the same bytes may be sent once more."""
    receiver.answers.append(collector.Answer(status))
    to = sender(receiver.endpoint)
    again = to.prepare(encoded())

    assert again(None) == Answer(reason="unavailable", again=True)
    assert again(None).taken == 1
    to.close()
    assert receiver.requests[0] == receiver.requests[1]


@pytest.mark.parametrize("status", [301, 307, 400, 401, 403, 404, 413, 500, 501])
def test_other_answers_are_final(receiver: OTLPReceiver, status: int) -> None:
    """What will not be taken later is not sent again; a redirection took nothing and is not followed."""
    receiver.answers.append(collector.Answer(status, {"Location": f"{receiver.endpoint}/elsewhere"}))

    assert send(sender(receiver.endpoint), encoded()) == Answer(reason="rejected")
    assert len(receiver.paths) == 1


@pytest.mark.parametrize(
    ("given", "seconds"),
    [
        ("7", 7.0),
        ("0", 0.0),
        ("100000", 300.0),
        ("", None),
        ("-7", None),
        ("soon", None),
        ("²", None),
        ("1e5", None),
    ],
)
def test_retry_after_in_seconds(receiver: OTLPReceiver, given: str, seconds: float | None) -> None:
    """At most five minutes; what cannot be read is as none."""
    receiver.answers.append(collector.Answer(503, {"Retry-After": given.encode().decode("latin-1")}))

    assert send(sender(receiver.endpoint), encoded()).after == seconds


@pytest.mark.parametrize(
    ("ahead", "least", "most"), [(60, 30.0, 60.0), (-60, 0.0, 0.0), (86_400, 300.0, 300.0)]
)
def test_retry_after_as_a_date(receiver: OTLPReceiver, ahead: int, least: float, most: float) -> None:
    """HTTP's other form; one that has passed is now."""
    receiver.answers.append(
        collector.Answer(429, {"Retry-After": formatdate(time.time() + ahead, usegmt=True)})
    )

    after = send(sender(receiver.endpoint), encoded()).after
    assert after is not None
    assert least <= after <= most


@pytest.mark.parametrize(("rejected", "taken"), [(0, 3), (2, 1), (99, 0), (-1, 3)])
def test_partial_success(receiver: OTLPReceiver, rejected: int, taken: int) -> None:
    """A success that names spans it did not take; at least none, at most all of them."""
    receiver.answers.append(partial_success(rejected))

    answer = send(sender(receiver.endpoint), encoded(3))
    assert (answer.taken, answer.again) == (taken, False)
    if rejected > 0:
        assert answer.reason == "rejected"


def test_a_success_in_another_language_is_a_success(receiver: OTLPReceiver) -> None:
    """Some answer in JSON, or in HTML."""
    receiver.answers.append(collector.Answer(body=json.dumps({"partialSuccess": {}}).encode()))

    assert send(sender(receiver.endpoint), encoded()).taken == 1


def test_a_span_that_cannot_be_encoded_costs_itself_only(receiver: OTLPReceiver) -> None:
    """Another library's, with a name that is no Unicode; the stock exporter loses the batch."""
    batch = [*encoded(), *foreign(*(f"good {number}" for number in range(40)), "bad \udc80", "last")]
    answer = send(sender(receiver.endpoint), batch)

    assert (answer.taken, answer.reason) == (42, "unencodable")
    assert [span.name for span in receiver.spans][-3:] == ["good 38", "good 39", "last"]


def test_nothing_is_sent_where_nothing_can_be_encoded(receiver: OTLPReceiver) -> None:
    """A collector is not bothered with an empty request."""
    assert send(sender(receiver.endpoint), foreign("\udc80")) == Answer(reason="unencodable")
    assert receiver.requests == []


def test_nobody_listens() -> None:
    """An answer, not an exception: it may be there again soon."""
    with socket.socket() as unbound:
        unbound.bind(("127.0.0.1", 0))  # bound but not listening: connections are refused
        endpoint = f"http://127.0.0.1:{unbound.getsockname()[1]}"

        assert send(sender(endpoint), encoded()) == Answer(reason="unavailable", again=True)


@pytest.mark.parametrize("given", [None, 0.05])
def test_a_collector_that_never_answers_is_given_up(given: float | None) -> None:
    """After the configured time, or the shorter one that is left."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        to = sender(f"http://127.0.0.1:{silent.getsockname()[1]}", TIMEOUT=TIMEOUT if given is None else "60")

        assert send(to, encoded(), given) == Answer(reason="unavailable", again=True)


@pytest.mark.parametrize(
    "says", [b"", b"220 not HTTP\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nshort"]
)
def test_a_server_that_speaks_something_else(says: bytes) -> None:
    """Or breaks off: as one that is not there."""

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            self.request.recv(65_536)
            self.request.sendall(says)

    with socketserver.TCPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.handle_request)
        thread.start()
        answer = send(sender(f"http://127.0.0.1:{server.server_address[1]}"), encoded())
        thread.join()

    assert answer == Answer(reason="unavailable", again=True)


def test_tls_with_a_certificate_of_ones_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """OTEL_EXPORTER_OTLP_CERTIFICATE is whom to trust, whatever REQUESTS_CA_BUNDLE says."""
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", __file__)
    with otlp_receiver(tls=True) as receiver:
        answer = send(sender(receiver.endpoint, CERTIFICATE=str(CERTIFICATE)), encoded())

        assert answer.taken == len(receiver.spans) == 1


def test_a_certificate_that_nobody_knows_is_not_trusted() -> None:
    """No span is shown to whom we cannot be sure of."""
    with otlp_receiver(tls=True) as receiver:
        assert send(sender(receiver.endpoint), encoded()) == Answer(reason="unavailable", again=True)
        assert receiver.requests == []


def test_the_netrc_of_the_machine_does_not_count(
    receiver: OTLPReceiver, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """`requests` would put its password where the configured header stands."""
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login somebody password else\n")
    monkeypatch.setenv("NETRC", str(netrc))
    send(sender(receiver.endpoint, HEADERS="authorization=Bearer%20ours"), encoded())

    assert receiver.headers[0]["authorization"] == "Bearer ours"


def test_a_proxy_is_used_where_one_is_named(receiver: OTLPReceiver, monkeypatch: pytest.MonkeyPatch) -> None:
    """HTTP_PROXY and NO_PROXY, as in the stock exporter."""
    for name in ("HTTP_PROXY", "NO_PROXY", "no_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("http_proxy", receiver.endpoint)
    assert send(sender("http://collector.invalid:4318"), encoded()).taken == 1
    assert receiver.paths == ["http://collector.invalid:4318/v1/traces"]

    monkeypatch.setenv("no_proxy", "collector.invalid")
    assert send(sender("http://collector.invalid:4318"), encoded()).again
    assert len(receiver.paths) == 1


def test_a_password_in_the_address_is_used(receiver: OTLPReceiver) -> None:
    """Basic authentication, for whom has nothing better."""
    send(sender(receiver.endpoint.replace("//", "//user:pass@")), encoded())

    assert receiver.headers[0]["authorization"] == "Basic dXNlcjpwYXNz"
