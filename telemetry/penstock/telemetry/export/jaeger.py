"""Spans in Jaeger's own format, by the library that the extra `[jaeger]` brings; OTLP is the better way.

The library turns spans into Jaeger's model. Its two clients are replaced, because they lose spans and report
success: a batch that no datagram holds, any HTTP status, a value that cannot be written and spoils its
batch and the next. `OTEL_TRACES_EXPORTER=jaeger` selects this; docs/jaeger.md lists the variables.
"""

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any
from urllib.parse import SplitResult, urlsplit

import structlog
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult
from opentelemetry.trace import TraceFlags
from structlog.typing import FilteringBoundLogger

from penstock.engine.errors import ConfigurationError
from penstock.telemetry.export.jaeger_http import Posts
from penstock.telemetry.export.jaeger_shim import Encoding, make_exporter
from penstock.telemetry.export.jaeger_udp import Datagrams

AGENT_HOST = "localhost"
AGENT_PORT = 6831
TIMEOUT = 10.0
"""Seconds. The library's defaults, all three."""

_COUNT = 5
"""Bytes that the number of spans may add to a batch: the longest varint of 32 bits."""


def jaeger_exporter(service_name: str, environ: Mapping[str, str] = os.environ) -> "JaegerSpanExporter":
    """An exporter as the variables OTEL_EXPORTER_JAEGER_* want it; nothing is sent or looked up yet.

    `service_name` stands where a span's resource has none. Raises `ConfigurationError` for a variable that
    cannot be, and where the extra `[jaeger]` is missing or does not import.
    """
    timeout = _number(environ, "TIMEOUT", TIMEOUT, most=3600.0)
    endpoint = _variable(environ, "ENDPOINT")
    if endpoint:
        user, password = _variable(environ, "USER"), _variable(environ, "PASSWORD")
        posts = Posts(_url(endpoint), timeout, (user, password) if user and password else None)
        return JaegerSpanExporter(service_name, "Binary", posts)
    host = _variable(environ, "AGENT_HOST") or AGENT_HOST
    port = _number(environ, "AGENT_PORT", AGENT_PORT, most=65_535)
    return JaegerSpanExporter(service_name, "Compact", Datagrams(host, int(port), timeout))


class JaegerSpanExporter(SpanExporter):
    """Exports to Jaeger and says what came of it; `export` belongs to one thread, the rest to any.

    The counts are of spans left out of batches whose rest was sent, and which so were reported as SUCCESS.
    """

    def __init__(self, service_name: str, protocol: str, sender: Datagrams | Posts) -> None:
        self.oversized = 0
        """Spans that no datagram holds; over HTTP there are none."""
        self.malformed = 0
        """Spans with a value that cannot be written: an integer of over 64 bits, half of a surrogate pair."""
        self._library = make_exporter(service_name, self)
        self._encoding = Encoding(protocol)
        self._sender = sender
        self._closed = False
        self._failing = False
        # Bound here, for lines of the configuration that is in force now, not when this module was imported.
        self._log: FilteringBoundLogger = structlog.get_logger("penstock").bind(to=sender.destination)
        self._log.warning("spans leave in Jaeger's own format, which is deprecated: prefer OTLP")

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Send `spans` within the timeout; FAILURE unless they left and, over HTTP, were accepted.

        Never raises. After a FAILURE over UDP a part may have arrived. Nothing is tried again here.
        """
        if not spans:
            return SpanExportResult.SUCCESS
        try:
            self._library.export(spans)  # calls `submit`
        except Exception as error:  # nobody there, or a span that the library does not understand
            self._note_failure(error)
            return SpanExportResult.FAILURE
        if self._failing:
            self._failing = False
            self._log.info("Jaeger takes spans again")
        return SpanExportResult.SUCCESS

    @property
    def left_out(self) -> int:
        """Spans of batches reported as SUCCESS that were not sent."""
        return self.oversized + self.malformed

    def submit(self, batch: Any) -> None:
        """For the library, which hands over the batch it made; raises unless what can be sent was sent."""
        room: float = float("inf")
        if self._sender.limit is not None:
            room = self._sender.limit - len(self._encoding.encode_batch(batch.process, ())) - _COUNT
        encoded = [span for span in map(self._encode, batch.spans) if span is not None]
        fitting = [span for span in encoded if len(span) <= room]
        malformed, oversized = len(batch.spans) - len(encoded), len(encoded) - len(fitting)
        if not fitting:
            raise ValueError(f"{oversized} spans larger than a datagram, {malformed} that cannot be written")
        self._sender.send(
            [self._encoding.encode_batch(batch.process, part) for part in _parts(fitting, room)]
        )
        if malformed or oversized:
            self._note_loss(malformed, oversized)

    def shutdown(self) -> None:
        """End what is being sent; later exports fail at once."""
        self._closed = True
        self._sender.close()

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """Nothing is kept back here."""
        return True

    def _encode(self, span: Any) -> bytes | None:
        span.flags &= TraceFlags.SAMPLED  # W3C's second bit, for random ids, is Jaeger's for debugging
        try:
            return self._encoding.encode_span(span)
        except Exception:  # several kinds, by protocol and encoder; the span is counted
            return None

    def _note_failure(self, error: Exception) -> None:
        """Say why, once for a time of trouble."""
        if not (self._failing or self._closed):
            self._failing = True
            self._log.warning("spans cannot be sent", error=f"{type(error).__name__}: {error}")

    def _note_loss(self, malformed: int, oversized: int) -> None:
        """Count, and say it the first time."""
        write = self._log.debug if self.malformed or self.oversized else self._log.warning
        self.malformed += malformed
        self.oversized += oversized
        write("spans left out of a batch", too_large_for_a_datagram=oversized, cannot_be_written=malformed)


def _parts(spans: Iterable[bytes], room: float) -> Iterator[list[bytes]]:
    """`spans` in order, as many at a time as `room` bytes hold; none is larger than that."""
    part: list[bytes] = []
    left = room
    for span in spans:
        if len(span) > left:
            yield part
            part, left = [], room
        part.append(span)
        left -= len(span)
    yield part


def _variable(environ: Mapping[str, str], name: str) -> str:
    """Its value; empty means unset, as OpenTelemetry wants it."""
    return environ.get(f"OTEL_EXPORTER_JAEGER_{name}", "")


def _number(environ: Mapping[str, str], name: str, default: float, most: float) -> float:
    text = _variable(environ, name)
    try:
        value = float(text or default)
    except ValueError:
        value = 0.0
    if not 0 < value <= most:
        raise ConfigurationError(f"OTEL_EXPORTER_JAEGER_{name}={text}: expected a number up to {most:g}")
    return value


def _url(endpoint: str) -> SplitResult:
    with suppress(ValueError):  # a port that is no number
        url = urlsplit(endpoint)
        plain = endpoint.isascii() and not {"@", " "} & set(endpoint)
        if plain and url.scheme in ("http", "https") and url.hostname and url.port != 0:
            return url
    # It is not shown, because of what somebody may have put before an `@`.
    raise ConfigurationError(
        "OTEL_EXPORTER_JAEGER_ENDPOINT: expected something like http://collector:14268/api/traces; "
        "user and password are OTEL_EXPORTER_JAEGER_USER and OTEL_EXPORTER_JAEGER_PASSWORD"
    )
