"""From the standard variable to the bytes: the spans of a submission and of its attempt leave for Jaeger."""

from opentelemetry.trace import get_current_span

from penstock.engine.outcome import Cancelled
from penstock.telemetry.export.start import start_export
from penstock.telemetry.traces.tracing import Tracing
from telemetry.rig import attempt, request
from telemetry_jaeger.rig import SOON, collector


async def test_the_standard_variable_sends_spans_to_jaeger() -> None:
    """Ours and those of the SDK in one trace, with what a handler adds."""
    with collector() as receiver:
        export = start_export(
            "demo",
            environ={"OTEL_TRACES_EXPORTER": "jaeger", "OTEL_EXPORTER_JAEGER_ENDPOINT": receiver.endpoint},
        )
        tracing = Tracing(export.provider)
        with tracing.around_submit([request()]) as headers:
            get_current_span().add_event("checked", {"rules": 3})
        this = attempt(headers=dict(headers))
        with tracing.around_attempt(this):
            get_current_span().set_attribute("pages", [1, 2])
            with tracing.tracer.start_as_current_span("made by the SDK"):
                pass
            this.outcome = Cancelled()
        assert await export.aclose(SOON)

        found = {span.name: span for batch in receiver.batches for span in batch.spans}
        assert {batch.service for batch in receiver.batches} == {"demo"}
    enqueue, process = found["enqueue media"], found["process media"]
    assert {span.trace_id for span in found.values()} == {int(headers["traceparent"].split("-")[1], 16)}
    assert enqueue.span_id == found["wait media"].parent_id == process.parent_id
    assert process.span_id == found["made by the SDK"].parent_id
    assert [fields for _, fields in enqueue.logs] == [{"message": "checked", "rules": 3}]
    assert process.tags.items() >= {"error": True, "error.type": "cancelled", "pages": "(1, 2)"}.items()
