"""The two ways in which finished spans wait for the exporting thread: encoded, or as the SDK knows them."""

from collections.abc import Sequence

from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

from penstock.telemetry.export.otlp_http import OtlpSender
from penstock.telemetry.export.otlp_settings import OtlpSettings
from penstock.telemetry.export.thread import Answer, ExportThread, Limits, Sending
from penstock.telemetry.traces.otlp import Envelope
from penstock.telemetry.traces.provider import SCOPE
from penstock.telemetry.traces.readable import to_readable
from penstock.telemetry.traces.span import Span

_READABLE_SIZE = 1024  # bytes; about what one of five attributes takes


class OtlpOutlet:
    """Our spans are encoded where they end: what waits is small, and the thread seldom needs the GIL."""

    def __init__(self, settings: OtlpSettings, resource: Resource, limits: Limits) -> None:
        self.thread: ExportThread[bytes | ReadableSpan] = ExportThread(
            OtlpSender(settings, Envelope(resource, SCOPE)), limits
        )

    def put(self, span: Span) -> None:
        """Take a finished span of ours."""
        try:
            encoded = span.encode()
        except Exception:  # what a handler has put on it, a time that is none: not worth its job
            self.thread.drop("unencodable")
            return
        self.thread.put(span.ended, len(encoded), encoded)

    def put_readable(self, span: ReadableSpan) -> None:
        """Take one of the SDK's, to be encoded by the thread."""
        self.thread.put(span.end_time or 0, _READABLE_SIZE, span)

    def flush(self, timeout: float) -> bool:
        """Block until all that was put before has left."""
        return self.thread.flush(timeout)


class ReadableOutlet:
    """For any exporter of the SDK's kind: Jaeger's, the console's, a user's own."""

    def __init__(self, exporter: SpanExporter, resource: Resource, limits: Limits) -> None:
        self.thread: ExportThread[Span | ReadableSpan] = ExportThread(
            ExporterSender(exporter, resource), limits
        )

    def put(self, span: Span) -> None:
        """Take a finished span of ours; the thread makes it readable."""
        self.thread.put(span.ended, _READABLE_SIZE, span)

    def put_readable(self, span: ReadableSpan) -> None:
        """Take one of the SDK's."""
        self.thread.put(span.end_time or 0, _READABLE_SIZE, span)

    def flush(self, timeout: float) -> bool:
        """Block until all that was put before has left."""
        return self.thread.flush(timeout)


class ExporterSender:
    """Hands batches to an SDK exporter, once each: it retries itself, and knows no timeout but its own."""

    def __init__(self, exporter: SpanExporter, resource: Resource) -> None:
        self._exporter = exporter
        self._resource = resource

    def prepare(self, batch: Sequence[Span | ReadableSpan]) -> Sending:
        """Make readable what is ours."""
        readable = [
            to_readable(span, self._resource, SCOPE) if isinstance(span, Span) else span for span in batch
        ]

        def send(timeout: float | None) -> Answer:
            if self._exporter.export(readable) is SpanExportResult.SUCCESS:
                return Answer(taken=len(readable))
            return Answer(reason="rejected")

        return send

    def close(self) -> None:
        """Shut the exporter down."""
        self._exporter.shutdown()
