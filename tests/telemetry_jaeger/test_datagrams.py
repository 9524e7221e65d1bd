"""Batches over UDP: none larger than a receiver takes, and what can be known to be lost is told."""

import random
import socket
from contextlib import ExitStack

import pytest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExportResult
from structlog.testing import capture_logs

from penstock.telemetry.export.jaeger import JaegerSpanExporter
from penstock.telemetry.export.jaeger_udp import MAX_DATAGRAM
from telemetry_jaeger.rig import Agent, agent, exporter, span
from telemetry_jaeger.wire import batch_of_datagram

SUCCESS, FAILURE = SpanExportResult.SUCCESS, SpanExportResult.FAILURE


def sending_to(receiver: Agent) -> JaegerSpanExporter:
    """An exporter to `receiver`."""
    return exporter(AGENT_HOST="127.0.0.1", AGENT_PORT=receiver.port)


def heavy(number: int, weight: int) -> ReadableSpan:
    """A span with so many bytes of text."""
    return span(number, attributes={"text": "x" * weight})


def arrived(datagrams: list[bytes]) -> list[int]:
    """The ids of all spans, in order."""
    return [one.span_id for datagram in datagrams for one in batch_of_datagram(datagram).spans]


def test_a_large_batch_is_split_and_every_span_arrives_once() -> None:
    """Four hundred spans of half a kilobyte are four datagrams, each but the last as full as can be."""
    with agent() as receiver:
        assert sending_to(receiver).export([heavy(number, 400) for number in range(1, 401)]) is SUCCESS
        datagrams = receiver.datagrams(4)

    assert arrived(datagrams) == list(range(1, 401))
    sizes = [len(datagram) for datagram in datagrams]
    assert max(sizes) < MAX_DATAGRAM
    assert min(sizes[:-1]) > MAX_DATAGRAM - 600


@pytest.mark.parametrize("seed", range(5))
def test_spans_of_any_sizes_arrive_once_and_in_order(seed: int) -> None:
    """From next to nothing to nearly a datagram, side by side."""
    chance = random.Random(seed)
    spans = [heavy(number, int(64_000 ** chance.random())) for number in range(1, 31)]
    with agent() as receiver:
        sending = sending_to(receiver)
        for batch in (spans[:10], spans[10:20], spans[20:]):  # so that the kernel holds what was sent
            assert sending.export(batch) is SUCCESS
            datagrams = receiver.all_so_far()
            assert arrived(datagrams) == [one.context.span_id for one in batch if one.context]
            assert max(map(len, datagrams)) < MAX_DATAGRAM


def test_a_span_larger_than_a_datagram_is_left_out_and_counted() -> None:
    """The others of its batch arrive; the first time a line says so."""
    with agent() as receiver, capture_logs() as lines:
        sending = sending_to(receiver)
        for _ in range(2):
            assert sending.export([heavy(1, 10), heavy(2, MAX_DATAGRAM), heavy(3, 10)]) is SUCCESS
        assert arrived(receiver.datagrams(2)) == [1, 3, 1, 3]

    assert (sending.oversized, sending.malformed, sending.left_out) == (2, 0, 2)
    told = [line for line in lines if line["event"] == "spans left out of a batch"]
    assert [(line["log_level"], line["too_large_for_a_datagram"]) for line in told] == [
        ("warning", 1),
        ("debug", 1),
    ]


def test_a_batch_of_which_nothing_can_be_sent_is_a_failure() -> None:
    """It is counted once: by whoever counts failures."""
    with agent() as receiver:
        sending = sending_to(receiver)
        assert sending.export([heavy(1, MAX_DATAGRAM), heavy(2, MAX_DATAGRAM)]) is FAILURE
        assert receiver.left() == b""

    assert sending.oversized == 0


def test_what_fills_a_datagram_to_the_brim_leaves() -> None:
    """Around the limit each size either arrives or is counted, and one byte decides."""
    with agent() as receiver:
        sending = sending_to(receiver)
        sizes: list[int] = []
        for weight in range(MAX_DATAGRAM - 300, MAX_DATAGRAM, 10):
            sending.export([heavy(1, 1), heavy(2, weight)])
            sizes += [len(datagram) for datagram in receiver.all_so_far()]

    assert MAX_DATAGRAM - 20 < max(sizes) <= MAX_DATAGRAM
    assert sending.oversized > 0


def test_a_closed_port_on_this_machine_is_a_failure() -> None:
    """The kernel tells; on some of many tries it may be late with it."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    sending = exporter(AGENT_HOST="127.0.0.1", AGENT_PORT=port)

    assert FAILURE in [sending.export([span()]) for _ in range(20)]


def test_the_timeout_is_for_all_datagrams_of_a_batch() -> None:
    """Fifty, a millisecond apart, are more than ten milliseconds hold."""
    with agent() as receiver:
        sending = exporter(AGENT_HOST="127.0.0.1", AGENT_PORT=receiver.port, TIMEOUT=0.01)
        assert sending.export([heavy(number, 40_000) for number in range(1, 51)]) is FAILURE


def test_a_name_that_does_not_resolve_is_a_failure() -> None:
    """`.invalid` never does (RFC 2606, section 2)."""
    assert exporter(AGENT_HOST="agent.invalid").export([span()]) is FAILURE


def test_an_address_of_ipv6_is_one_like_any_other() -> None:
    """The library knew IPv4 only."""
    with ExitStack() as stack:
        try:
            receiver = stack.enter_context(agent("::1"))
        except OSError:
            pytest.skip("no IPv6 here")
        assert exporter(AGENT_HOST="::1", AGENT_PORT=receiver.port).export([span(9)]) is SUCCESS
        assert arrived(receiver.datagrams(1)) == [9]


def test_of_two_addresses_datagrams_take_the_one_of_ipv4(monkeypatch: pytest.MonkeyPatch) -> None:
    """A server on `localhost` listens there, and nothing would say that the other one is wrong."""
    with agent() as receiver:
        both: list[object] = [
            (socket.AF_INET6, socket.SOCK_DGRAM, 17, "", ("::1", receiver.port, 0, 0)),
            (socket.AF_INET, socket.SOCK_DGRAM, 17, "", ("127.0.0.1", receiver.port)),
        ]

        def look_up(*_asked: object, **_options: object) -> list[object]:
            return both

        monkeypatch.setattr(socket, "getaddrinfo", look_up)
        assert exporter().export([span(9)]) is SUCCESS
        assert arrived(receiver.datagrams(1)) == [9]


def test_after_shutdown_nothing_leaves() -> None:
    """Twice is no trouble, and no line is written about it."""
    with agent() as receiver, capture_logs() as lines:
        sending = sending_to(receiver)
        sending.shutdown()
        sending.shutdown()
        assert sending.export([span()]) is FAILURE
        assert receiver.left() == b""

    assert [line["event"] for line in lines] == [
        "spans leave in Jaeger's own format, which is deprecated: prefer OTLP"
    ]
