"""The two ways in which finished spans wait for the exporting thread: encoded, or as the SDK knows them."""

from collections import deque
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

AT_ONCE = 64
"""Spans encoded in one go: about 0.3 ms."""
_READABLE_SIZE = 1024  # bytes; about what one of five attributes takes


class OtlpOutlet:
    """Our spans are encoded by those who make them, sixty-four at a time.

    What waits is small then, and the thread seldom needs the interpreter's lock. At a time, because code that
    runs in between other code is slow: on the hot path it costs a third of what it costs one by one.
    """

    def __init__(self, settings: OtlpSettings, resource: Resource, limits: Limits) -> None:
        sender = OtlpSender(settings, Envelope(resource, SCOPE))
        self.thread: ExportThread[bytes | ReadableSpan] = ExportThread(sender, limits, fill=self._encode)
        self._at_once = min(AT_ONCE, limits.batch)
        self._ended: deque[Span] = deque()  # safe between threads: each of its operations is one step

    def put(self, span: Span) -> None:
        """Take a finished span of ours."""
        self._ended.append(span)
        if len(self._ended) >= self._at_once:
            self._encode()

    def put_encoded(self, ended: int, spans: Sequence[bytes]) -> None:
        """Take spans that are encoded; the first of them ended then."""
        self.thread.put_all(ended, list(map(len, spans)), spans)

    def put_readable(self, span: ReadableSpan) -> None:
        """Take one of the SDK's, to be encoded by the thread."""
        self.thread.put(span.end_time or 0, _READABLE_SIZE, span)

    def flush(self, timeout: float) -> bool:
        """Block until all that was put before has left."""
        self._encode()
        return self.thread.flush(timeout)

    def _encode(self) -> None:
        """Encode what has ended; called by the thread too, for what is left over."""
        ended, encoded, first = self._ended, list[bytes](), 0
        unencodable = 0
        for _ in range(2 * AT_ONCE):
            try:
                span = ended.popleft()
            except IndexError:
                break
            try:
                data = span.encode()
            except Exception:  # what a handler has put on it, a time that is none: not worth its job
                unencodable += 1
                continue
            encoded.append(data)
            first = first or span.ended
        if unencodable:
            self.thread.drop("unencodable", unencodable)
        self.thread.put_all(first, list(map(len, encoded)), encoded)


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
