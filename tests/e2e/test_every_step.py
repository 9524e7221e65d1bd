"""One job that reads PostgreSQL, uses the cache, publishes to Kafka and calls a service: one trace."""

from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import pytest
import trio

from bus.mock_kafka import MockKafka, mock_kafka
from e2e.system import connected
from support.journey import travel
from support.otlp_receiver import otlp_receiver
from support.postgres import PostgresServer, postgres_server
from support.processes import Start
from support.redis_server import ValkeyServer

APP = "support.journey:journey"


class Service:
    """Answers, and remembers the trace that it was told."""

    def __init__(self) -> None:
        self.traces: list[str | None] = []
        heard = self.traces

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                heard.append(self.headers["traceparent"])
                self.send_response(204)
                self.end_headers()

            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class's name
                """Say nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"


@pytest.fixture
def service() -> Iterator[Service]:
    service = Service()
    thread = Thread(target=service.server.serve_forever)
    thread.start()
    yield service
    service.server.shutdown()
    service.server.server_close()
    thread.join()


@pytest.fixture
def postgres() -> Iterator[PostgresServer]:
    with postgres_server() as server:
        yield server


@pytest.fixture
def kafka() -> Iterator[MockKafka]:
    with mock_kafka() as brokers:
        yield brokers


async def test_one_trace_has_every_step(
    start: Start, valkey: ValkeyServer, postgres: PostgresServer, kafka: MockKafka, service: Service
) -> None:
    """In the order in which they were made, below the attempt; and the service was told the trace."""
    with otlp_receiver() as receiver:
        settings = {
            "PENSTOCK_MODULE_JOURNEY_DATABASE": postgres.url(),
            "PENSTOCK_MODULE_JOURNEY_SERVICE": service.url,
            "PENSTOCK_MODULE_OUTGOING_ALLOW_PRIVATE": "true",
            "PENSTOCK_MODULE_OUTGOING_TRACE_TO": '["127.0.0.1"]',
        }
        where = (
            "--redis",
            valkey.url,
            "--otlp-endpoint",
            receiver.endpoint,
            "--bus",
            f"kafka://{kafka.servers}",
        )
        worker = start("worker", APP, *where, **settings)
        worker.wait_for_line("worker started")
        async with connected(valkey.url) as client:
            with trio.fail_after(60):
                receipt = await client.submit(travel, "ann")
                assert (await client.wait(receipt.id)).result == 204
        assert worker.terminate() == 0
        spans = receiver.spans

    [process] = [span for span in spans if span.name == "process default"]
    below = sorted(
        (span for span in spans if span.parent_span_id == process.span_id),
        key=lambda span: span.start_time_unix_nano,
    )
    names = [span.name for span in below]
    systems = [
        pair.value.string_value
        for span in below
        for pair in span.attributes
        if pair.key in ("db.system.name", "messaging.system")
    ]
    assert names[-2:] == ["publish journeys.ended", "GET"]
    assert [name for name in names if name.startswith("SELECT")], names
    assert {"redis", "postgresql", "kafka"} == set(systems)
    get = below[-1]
    [told] = service.traces
    assert told is not None
    assert told.startswith(f"00-{get.trace_id.hex()}-{get.span_id.hex()}-")
    assert len({span.trace_id for span in below}) == 1
