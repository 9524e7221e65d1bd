"""Where finished spans go: OTLP over HTTP, a file, or nowhere; always off the loop, and bounded at the end.

The standard `OTEL_*` variables are the SDK's and mean what they mean everywhere; where a setting and a
variable both speak, the endpoint of the settings wins and the service name of the environment does.
"""

import os
from collections.abc import Mapping, Sequence
from functools import partial
from importlib.metadata import version

import msgspec
import trio
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import OTELResourceDetector, Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult

from penstock.engine.errors import ConfigurationError

FILE_DELAY = 200.0
"""Milliseconds until a finished span is in the file; someone is looking at it."""


class CountedExporter(SpanExporter):
    """Counts what another exporter takes and loses, and lets it be shut down twice.

    The counts are written by the exporting thread alone; others only read them.
    """

    def __init__(self, exporter: SpanExporter) -> None:
        self.exported = 0
        self.failed = 0
        self._exporter = exporter
        self._closed = False

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Pass `spans` on."""
        result = SpanExportResult.FAILURE
        try:
            result = self._exporter.export(spans)
        finally:
            if result is SpanExportResult.SUCCESS:
                self.exported += len(spans)
            else:
                self.failed += len(spans)
        return result

    def shutdown(self) -> None:
        """End a retry that is waiting, and the connections."""
        if not self._closed:
            self._closed = True
            self._exporter.shutdown()


class SpanFile(SpanExporter):
    """Appends finished spans to a file as JSON lines; several processes may share it.

    A line is {trace_id, span_id, parent_id, name, kind, start, end, status, description, attributes, links};
    ids in hex, times in nanoseconds since the epoch.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self._file = open(path, "ab", buffering=0)  # noqa: SIM115 - closed by `shutdown`

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Append `spans` in one write, so that lines of several processes do not mix."""
        lines = msgspec.json.Encoder(enc_hook=str).encode_lines([_readable(span) for span in spans])
        self._file.write(lines)
        return SpanExportResult.SUCCESS

    def shutdown(self) -> None:
        """Close the file."""
        self._file.close()


def _readable(span: ReadableSpan) -> dict[str, object]:
    context = span.get_span_context()
    return {
        "trace_id": f"{context.trace_id:032x}" if context else None,
        "span_id": f"{context.span_id:016x}" if context else None,
        "parent_id": f"{span.parent.span_id:016x}" if span.parent else None,
        "name": span.name,
        "kind": span.kind.name.lower(),
        "start": span.start_time,
        "end": span.end_time,
        "status": span.status.status_code.name.lower(),
        "description": span.status.description,
        "attributes": dict(span.attributes or {}),
        "links": [f"{link.context.span_id:016x}" for link in span.links],
    }


class Export:
    """A tracer provider and where its spans go."""

    def __init__(self, provider: TracerProvider, collector: CountedExporter | None = None) -> None:
        self.provider = provider
        self.collector = collector
        """None where spans leave over no network."""

    async def aclose(self, timeout: float) -> bool:
        """Hand over what is queued, for at most `timeout` seconds; True if that sufficed.

        The SDK blocks here, up to 30 seconds with a dead collector: so in a thread, which is left
        behind when the time is up. Not cut short by cancellation: shutting down is when it is called.
        """
        with trio.move_on_after(timeout, shield=True) as limit:
            # A limiter of its own: the default one may be full of handlers that are stuck.
            await trio.to_thread.run_sync(
                self.provider.shutdown, abandon_on_cancel=True, limiter=trio.CapacityLimiter(1)
            )
        if limit.cancelled_caught and self.collector is not None:
            self.collector.shutdown()  # ends the wait between retries, and so soon the thread
        return not limit.cancelled_caught


def start_export(
    service_name: str,
    otlp_endpoint: str | None = None,
    spans_file: str | None = None,
    environ: Mapping[str, str] = os.environ,
) -> Export:
    """Set up a provider of its own; the global one is not touched.

    `otlp_endpoint` is a base address as in OTEL_EXPORTER_OTLP_ENDPOINT (`http://collector:4318`). Without
    one here or in the environment spans are made, for their ids, but sent nowhere. Raises
    `ConfigurationError` where `spans_file` cannot be opened.
    """
    provider = TracerProvider(
        resource=_resource(service_name),
        shutdown_on_exit=False,  # that would block the exit; `Export.aclose` is bounded
    )
    if spans_file is not None:  # first, because processors are shut down in order and a file never waits
        provider.add_span_processor(
            BatchSpanProcessor(_open_span_file(spans_file), schedule_delay_millis=FILE_DELAY)
        )
    exporter = _collector(otlp_endpoint, environ)
    if exporter is None:
        return Export(provider)
    collector = CountedExporter(exporter())
    provider.add_span_processor(BatchSpanProcessor(collector))
    return Export(provider, collector)


def _open_span_file(path: str) -> SpanFile:
    try:
        return SpanFile(path)
    except OSError as error:
        raise ConfigurationError(f"spans cannot be written to {path}: {error.strerror}") from error


def _collector(endpoint: str | None, environ: Mapping[str, str]) -> "partial[OTLPSpanExporter] | None":
    if environ.get("OTEL_TRACES_EXPORTER") == "none":
        return None
    if endpoint is not None:
        return partial(OTLPSpanExporter, endpoint=endpoint.rstrip("/") + "/v1/traces")
    if "OTEL_EXPORTER_OTLP_ENDPOINT" in environ or "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT" in environ:
        return partial(OTLPSpanExporter)  # reads them itself
    return None


def _resource(service_name: str) -> Resource:
    ours = {"service.name": service_name, "service.version": version("penstock")}
    return Resource.create({**ours, **OTELResourceDetector().detect().attributes})
