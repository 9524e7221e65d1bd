"""OTLP over HTTP: one POST a batch, as https://opentelemetry.io/docs/specs/otlp/#otlphttp has it.

TLS, proxies and connections are `requests`', as in the stock exporter, which cannot be used because it
encodes every span itself, and retries while it is shut down.
"""

import gzip
import time
from collections.abc import Iterable, Sequence
from email.utils import parsedate_to_datetime
from importlib.metadata import version

import requests
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse
from opentelemetry.sdk.trace import ReadableSpan
from requests.utils import get_environ_proxies

from penstock.telemetry.export.otlp_settings import OtlpSettings
from penstock.telemetry.export.thread import Answer, Sending
from penstock.telemetry.traces.otlp import Envelope

_AGAIN = frozenset({408, 429, 502, 503, 504})
"""Statuses after which the same batch may be sent again (OTLP specification, "Retryable Response Codes";
408 as the stock exporter has it)."""
_MOST_PAUSE = 300.0  # seconds; whatever `Retry-After` says
_SLICE = 16  # spans of other libraries encoded at a stretch: the GIL is the jobs' again in between
_RESPITE = 0.0002  # seconds


class OtlpSender:
    """Sends batches of encoded spans, and of other libraries' spans, to one collector."""

    def __init__(self, settings: OtlpSettings, envelope: Envelope) -> None:
        self._settings = settings
        self._envelope = envelope
        self._session = requests.Session()
        self._session.trust_env = False  # `.netrc` and REQUESTS_CA_BUNDLE would win over the settings
        self._session.proxies.update(get_environ_proxies(settings.endpoint))
        self._session.headers["User-Agent"] = f"penstock/{version('penstock')}"
        self._session.headers.update(settings.headers)
        self._session.headers["Content-Type"] = "application/x-protobuf"
        if settings.compress:
            self._session.headers["Content-Encoding"] = "gzip"
        self._session.verify = settings.certificate or True
        if settings.client_certificate is not None:
            key = settings.client_key
            self._session.cert = (
                (settings.client_certificate, key) if key is not None else settings.client_certificate
            )

    def prepare(self, batch: Sequence[bytes | ReadableSpan]) -> Sending:
        """Encode and compress; what cannot be encoded is left out."""
        ours = [item for item in batch if isinstance(item, bytes)]
        theirs, encoded = _encode([item for item in batch if not isinstance(item, bytes)])
        count = len(ours) + encoded
        body = b"".join((self._envelope.enclose(ours), *theirs))
        if self._settings.compress:
            # Level 1: a fifth of the bytes; more effort gains little. The GIL is not held meanwhile.
            body = gzip.compress(body, 1)
        return lambda timeout: self._send(body, count, timeout) if count else Answer(reason="unencodable")

    def close(self) -> None:
        """Let the connections go."""
        self._session.close()

    def _send(self, body: bytes, count: int, timeout: float | None) -> Answer:
        """One request; also for a collector that is not there an answer, never an exception.

        `requests` bounds each wait for the network by `timeout`, not their sum.
        """
        limit = self._settings.timeout if timeout is None else min(timeout, self._settings.timeout)
        try:
            response = self._session.post(
                self._settings.endpoint, data=body, timeout=limit, allow_redirects=False
            )
        except requests.RequestException:
            return Answer(reason="unavailable", again=True)
        if response.status_code in _AGAIN:
            return Answer(reason="unavailable", again=True, after=_retry_after(response))
        if response.status_code // 100 != 2:  # a redirection took nothing either
            return Answer(reason="rejected")
        rejected = min(_rejected(response.content), count)
        return Answer(taken=count - rejected, reason="rejected" if rejected else "unencodable")


def _encode(spans: Sequence[ReadableSpan]) -> tuple[list[bytes], int]:
    """Parts of a request with other libraries' spans, by the stock encoder, and how many are in them.

    It takes 44 µs of the GIL a span. One that it cannot encode (text that is no Unicode) costs itself only.
    """
    parts: list[bytes] = []
    count = 0
    for start in range(0, len(spans), _SLICE):
        some = spans[start : start + _SLICE]
        try:
            parts.append(_stock(some))
            count += len(some)
        except Exception:  # whatever it raises for what somebody else has put on a span
            good = [part for part in map(_stock_or_nothing, some) if part]
            parts += good
            count += len(good)
        time.sleep(_RESPITE)
    return parts, count


def _stock(spans: Iterable[ReadableSpan]) -> bytes:
    encoded: bytes = encode_spans(list(spans)).SerializeToString()
    return encoded


def _stock_or_nothing(span: ReadableSpan) -> bytes:
    try:
        return _stock((span,))
    except Exception:  # as above
        return b""


def _retry_after(response: requests.Response) -> float | None:
    """Seconds to wait, from `Retry-After` as seconds or as a date (RFC 9110, §10.2.3)."""
    given = response.headers.get("Retry-After", "")
    try:
        seconds = float(given) if given.isdigit() else parsedate_to_datetime(given).timestamp() - time.time()
    except ValueError:
        return None
    return min(max(seconds, 0.0), _MOST_PAUSE)


def _rejected(content: bytes) -> int:
    """Spans that a collector names as rejected in an answer that is a success otherwise."""
    if not content:
        return 0
    try:
        answer = ExportTraceServiceResponse.FromString(content)
    except Exception:  # a collector that answers in something else; protobuf raises classes of its own
        return 0
    return max(0, int(answer.partial_success.rejected_spans))
