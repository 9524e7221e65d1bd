"""Every span that Penstock makes, held against the semantic conventions: names, kinds and attributes.

The attributes and the words for operations come from the conventions' installed package. How names are put
together and which kind goes with which operation it does not hold; those are written down here, from the same
version.
"""

import importlib
import pkgutil
from typing import Any

import msgspec
import pytest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.semconv._incubating.attributes.messaging_attributes import MessagingOperationTypeValues
from opentelemetry.semconv.schemas import Schemas
from opentelemetry.trace import SpanKind

from penstock.engine.attempt import Attempt
from penstock.engine.events import JobsPromoted, Settled, WorkersReaped
from penstock.engine.job import JobError
from penstock.engine.outcome import Outcome, Retry, Succeeded
from penstock.telemetry.traces import attributes
from penstock.telemetry.traces.observer import TraceObserver
from telemetry.rig import Rig, attempt, request

DONE = Succeeded(msgspec.Raw(b"\xc0"))
KINDS = {
    # https://opentelemetry.io/docs/specs/semconv/messaging/messaging-spans/#span-kind; "send" is a producer
    # where its context is the message's, as here
    MessagingOperationTypeValues.SEND.value: SpanKind.PRODUCER,
    MessagingOperationTypeValues.PROCESS.value: SpanKind.CONSUMER,
    MessagingOperationTypeValues.SETTLE.value: SpanKind.CLIENT,
}
REQUIRED = {"messaging.system", "messaging.operation.name", "messaging.destination.name"}


def known_names() -> set[str]:
    """Every attribute that the package knows, deprecated ones left out as far as it tells."""
    incubating = importlib.import_module("opentelemetry.semconv._incubating.attributes")
    names: set[str] = set()
    for module in pkgutil.iter_modules(incubating.__path__):
        found = vars(importlib.import_module(f"{incubating.__name__}.{module.name}"))
        names.update(str(value) for name, value in found.items() if name.isupper() and isinstance(value, str))
    return names


async def serve(rig: Rig) -> None:
    """One request, with its parts."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        scope["penstock.route"] = "/v1/jobs"
        with scope["penstock.step"]("parse"):
            pass
        await send({"type": "http.response.start", "status": 503, "headers": []})

    async def send(message: Any) -> None: ...

    scope = {"type": "http", "method": "POST", "path": "/v1/jobs", "headers": [(b"traceparent", b"x")]}
    await rig.telemetry.middleware(app)(scope, send, send)  # type: ignore[arg-type]


@pytest.fixture
async def spans(rig: Rig) -> list[ReadableSpan]:
    """One of each sort, with everything that can stand on it."""
    await serve(rig)
    with rig.telemetry.around_submit([request(), request()]) as headers:
        pass
    failed = Retry(error=JobError("KeyError", "'width'", fingerprint="f" * 16))
    first = attempt("media.1", {"traceparent": headers["traceparent"]}, tenant="acme", user="ann", crashes=1)
    second = attempt("media.2", dict(headers), number=2, previous=headers["traceparent"])
    ran: list[tuple[Attempt, Outcome]] = [(first, failed), (second, DONE)]
    for this, outcome in ran:
        with rig.telemetry.around_attempt(this):
            this.outcome = outcome
    observe = TraceObserver(rig.telemetry.tracing)
    for event in (
        Settled("media", 2, 1, 0.001, [first, second]),
        JobsPromoted("media", 1, 0.001),
        WorkersReaped("media", ["w9"], 1, ["media.9"], 0.001),
    ):
        observe(event)
    return list(rig.finished.get_finished_spans())


async def test_messaging_spans_have_the_conventions_names_and_kinds(spans: list[ReadableSpan]) -> None:
    """`{operation} {destination}`; the kind goes with the type of the operation."""
    operations = [span for span in spans if "messaging.operation.type" in (span.attributes or {})]
    assert {span.name for span in operations} == {"enqueue media", "process media", "settle media"}
    for span in operations:
        said = span.attributes or {}
        words = (said["messaging.operation.name"], said["messaging.destination.name"])
        assert span.name == " ".join(map(str, words))
        assert span.kind is KINDS[str(said["messaging.operation.type"])]
        assert set(said) >= REQUIRED


async def test_other_spans_are_internal_or_the_server_s(spans: list[ReadableSpan]) -> None:
    """What is no operation of messaging claims none."""
    others = {span.name: span for span in spans if "messaging.operation.type" not in (span.attributes or {})}
    server = others.pop("POST /v1/jobs")
    said = server.attributes or {}
    assert server.kind is SpanKind.SERVER
    assert server.name == " ".join(map(str, (said["http.request.method"], said["http.route"])))
    assert set(others) == {"parse", "wait media", "attempt media", "promote media", "reap media"}
    assert {span.kind for span in others.values()} == {SpanKind.INTERNAL}


async def test_every_attribute_is_the_conventions_or_our_own(spans: list[ReadableSpan]) -> None:
    """What the conventions do not know stands under our own names, and all of those are declared."""
    used = {key for span in spans for key in span.attributes or {}}
    used |= {key for span in spans for link in span.links for key in link.attributes or {}}
    ours = {value for name, value in vars(attributes).items() if name.startswith("PENSTOCK_")}

    assert used - ours <= known_names()
    assert ours <= used | {attributes.PENSTOCK_KEPT}  # none is declared and never said


async def test_a_batch_is_counted_and_a_single_message_is_not(spans: list[ReadableSpan]) -> None:
    """`messaging.batch.message_count` never stands on a span of one message."""
    for span in spans:
        counted = "messaging.batch.message_count" in (span.attributes or {})
        assert counted is (span.name.split()[0] in ("enqueue", "settle", "promote", "reap")), span.name


def test_the_schema_is_a_version_that_the_package_knows() -> None:
    """Under it the names mean what they meant when they were copied."""
    assert attributes.SCHEMA_URL in {schema.value for schema in Schemas}
