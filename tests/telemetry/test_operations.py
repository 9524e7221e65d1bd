"""What jobs ask others to do is a span below the attempt's, and hands its trace on."""

import pytest
from opentelemetry import trace
from opentelemetry.trace import SpanKind, StatusCode

from penstock.engine.operation import Operation
from penstock.telemetry.logs.redaction import Redaction
from penstock.telemetry.traces.provider import Provider
from penstock.telemetry.traces.tracing import Tracing
from telemetry.rig import Rig, attempt

PARENT = {"traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"}


def test_an_operation_is_a_span_below_the_attempts(rig: Rig) -> None:
    """Of its kind, with what was known at its end; the headers name it."""
    this = attempt(headers=PARENT)
    with rig.telemetry.around_attempt(this):
        process = trace.get_current_span().get_span_context()
        operation = Operation(name="SELECT jobs", kind="client", attributes={"db.system.name": "sqlite"})
        with rig.telemetry.seams().around_operation(operation) as headers:
            operation.attributes["db.response.returned_rows"] = 3

    span = rig.spans()["SELECT jobs"]
    assert span.kind is SpanKind.CLIENT
    assert dict(span.attributes or {}) == {"db.system.name": "sqlite", "db.response.returned_rows": 3}
    assert span.parent is not None
    assert span.parent.span_id == process.span_id
    assert span.context is not None
    assert headers["traceparent"] == f"00-{PARENT['traceparent'][3:35]}-{span.context.span_id:016x}-01"
    assert span.status.status_code is StatusCode.UNSET


@pytest.mark.parametrize("raises", [True, False])
def test_one_that_fails_says_why(rig: Rig, raises: bool) -> None:
    """By what it raises, which goes on, or by a word of its own."""
    operation = Operation(name="GET", kind="client")
    try:
        with rig.telemetry.seams().around_operation(operation):
            if raises:
                raise ConnectionError("no route")
            operation.error_type = "503"
    except ConnectionError:
        assert raises

    span = rig.spans()["GET"]
    assert span.status.status_code is StatusCode.ERROR
    assert (span.attributes or {})["error.type"] == ("ConnectionError" if raises else "503")


def test_secrets_in_what_exceptions_say_do_not_stand_on_spans() -> None:
    """Those that are known by their value."""
    rig, redaction = Rig(), Redaction((), {"a setting": "hunter2hunter2"})
    tracing = Tracing(rig.telemetry.tracing.provider, redact=redaction.text)
    with pytest.raises(ValueError, match="hunter2"), tracing.around_operation(Operation(name="connect")):
        raise ValueError("postgresql://me:hunter2hunter2@db refused")

    assert rig.spans()["connect"].status.description == "postgresql://me:[redacted]@db refused"


def test_where_tracing_is_off_nothing_is_handed_on() -> None:
    """And nothing is made."""
    tracing = Tracing(Provider(disabled=True))
    with tracing.around_operation(Operation(name="GET")) as headers:
        assert headers == {}
