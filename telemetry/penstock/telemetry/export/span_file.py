"""Finished spans as JSON lines in a file: for demos, tests and whoever has no collector at hand."""

import os
from collections.abc import Sequence

import msgspec
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

from penstock.engine.errors import ConfigurationError


class SpanFile(SpanExporter):
    """Appends finished spans to a file as JSON lines; several processes may share it.

    A line is {trace_id, span_id, parent_id, name, kind, start, end, status, description, attributes, links};
    ids in hex, times in nanoseconds since the epoch.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        """Raises `ConfigurationError` where the file cannot be opened."""
        try:
            self._file = open(path, "ab", buffering=0)  # noqa: SIM115 - closed by `shutdown`
        except OSError as error:
            raise ConfigurationError(
                f"spans cannot be written to {os.fspath(path)}: {error.strerror}"
            ) from error

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Append `spans` in one write, so that lines of several processes do not mix."""
        lines = msgspec.json.Encoder(enc_hook=str).encode_lines([_line(span) for span in spans])
        written = self._file.write(lines)
        return SpanExportResult.SUCCESS if written == len(lines) else SpanExportResult.FAILURE

    def shutdown(self) -> None:
        """Close the file."""
        self._file.close()


def _line(span: ReadableSpan) -> dict[str, object]:
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
        "links": [f"{link.context.trace_id:032x}-{link.context.span_id:016x}" for link in span.links],
    }
