"""Where the collector is and how it is spoken to, as OpenTelemetry's variables say.

Each OTEL_EXPORTER_OTLP_X has a form for traces alone, OTEL_EXPORTER_OTLP_TRACES_X, which wins.

| X | meaning |
|---|---|
| ENDPOINT | base address, `/v1/traces` is added; in the form for traces the whole address |
| PROTOCOL | `http/protobuf`, the only one |
| HEADERS | `name=value,…`, values percent-encoded |
| TIMEOUT | seconds for one request, 10; not milliseconds: as in OpenTelemetry's Python |
| COMPRESSION | `gzip` (default) or `none` |
| CERTIFICATE, CLIENT_CERTIFICATE, CLIENT_KEY | PEM files: whom to trust, and who we are |

HTTPS_PROXY, HTTP_PROXY and NO_PROXY are honoured. `.netrc` and REQUESTS_CA_BUNDLE are not: they would
silently win over the headers and the certificate that are given here.
"""

import math
import os
import re
import ssl
from collections.abc import Mapping
from ipaddress import ip_address
from urllib.parse import unquote, urlsplit

import msgspec

from penstock.engine.errors import ConfigurationError

_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+", re.ASCII)  # RFC 9110, §5.6.2
_NOT_IN_A_HEADER = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")  # §5.5


class OtlpSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Where the collector is and how it is spoken to."""

    endpoint: str
    """Whole, `/v1/traces` included."""
    headers: dict[str, str] = {}
    timeout: float = 10.0
    """Seconds for one request."""
    compress: bool = True
    certificate: str | None = None
    client_certificate: str | None = None
    client_key: str | None = None

    def __repr__(self) -> str:
        return f"OtlpSettings({without_password(self.endpoint)})"  # headers are secrets


def without_password(url: str) -> str:
    """`url` as it may stand in a message."""
    return re.sub(r"//.*@", "//…@", url)


def read_otlp_settings(base: str | None, environ: Mapping[str, str] = os.environ) -> OtlpSettings | None:
    """The settings as the environment has them; None where no endpoint is named.

    `base` is the address of a collector as in OTEL_EXPORTER_OTLP_ENDPOINT, and wins over it. Raises
    `ConfigurationError` for what cannot be; no message repeats a header or a password.
    """
    endpoint = _endpoint(base, environ)
    if endpoint is None:
        return None
    protocol = _variable(environ, "PROTOCOL") or "http/protobuf"
    if protocol != "http/protobuf":
        raise ConfigurationError(
            f"OTEL_EXPORTER_OTLP_PROTOCOL is {protocol!r}, but spans leave as http/protobuf only; "
            "a collector takes that on port 4318"
        )
    compression = _variable(environ, "COMPRESSION") or ("none" if _is_here(endpoint) else "gzip")
    if compression not in ("gzip", "none"):
        raise ConfigurationError(f"OTEL_EXPORTER_OTLP_COMPRESSION is {compression!r}, expected gzip or none")
    settings = OtlpSettings(
        endpoint=endpoint,
        headers=_headers(_variable(environ, "HEADERS") or ""),
        timeout=_seconds(_variable(environ, "TIMEOUT")),
        compress=compression == "gzip",
        certificate=_variable(environ, "CERTIFICATE"),
        client_certificate=_variable(environ, "CLIENT_CERTIFICATE"),
        client_key=_variable(environ, "CLIENT_KEY"),
    )
    _check_files(settings)
    return settings


def _variable(environ: Mapping[str, str], name: str) -> str | None:
    """The variable of traces, else that of all signals; an empty one is as none."""
    forms = (f"OTEL_EXPORTER_OTLP_TRACES_{name}", f"OTEL_EXPORTER_OTLP_{name}")
    return next((given for form in forms if (given := environ.get(form, "").strip())), None)


def _endpoint(base: str | None, environ: Mapping[str, str]) -> str | None:
    base = (base or "").strip()
    whole = environ.get("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "").strip()
    if base or not whole:
        base = base or environ.get("OTEL_EXPORTER_OTLP_ENDPOINT", "").strip()
        if not base:
            return None
        whole = base.rstrip("/") + "/v1/traces"
    try:
        parts = urlsplit(whole)
        fits = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:  # brackets without an end, a port that is no number
        fits = False
    if not fits:
        raise ConfigurationError(
            f"OTLP endpoint {without_password(whole)!r}: expected http://host:4318 or https://…"
        )
    return whole


def _headers(given: str) -> dict[str, str]:
    """As the specification of the exporter has them: W3C Baggage without properties."""
    headers: dict[str, str] = {}
    for number, pair in enumerate(given.split(","), 1):
        if not pair.strip():
            continue
        name, equals, value = pair.partition("=")
        name, value = unquote(name.strip()), unquote(value.strip())
        if not equals or not _HEADER_NAME.fullmatch(name) or _NOT_IN_A_HEADER.search(value):
            raise ConfigurationError(
                f"OTEL_EXPORTER_OTLP_HEADERS: header {number} is not name=value, percent-encoded"
            )
        # UTF-8, byte for byte in characters of Latin-1: as HTTP's library will send them.
        headers[name.lower()] = value.encode().decode("latin-1")
    return headers


def _seconds(given: str | None) -> float:
    try:
        seconds = 10.0 if given is None else float(given)
    except ValueError:
        seconds = 0.0
    if not (seconds > 0 and math.isfinite(seconds)):
        raise ConfigurationError(f"OTEL_EXPORTER_OTLP_TIMEOUT is {given!r}, expected seconds")
    return seconds


def _check_files(settings: OtlpSettings) -> None:
    """Read them once now: later nobody is there to be told."""
    if settings.client_key is not None and settings.client_certificate is None:
        raise ConfigurationError("OTEL_EXPORTER_OTLP_CLIENT_KEY needs OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    what, file = "CERTIFICATE", settings.certificate
    try:
        if file is not None:
            context.load_verify_locations(file)
        what, file = "CLIENT_CERTIFICATE", settings.client_certificate
        if file is not None:
            # No password: a server cannot be asked for one.
            context.load_cert_chain(file, settings.client_key, password="")
    except OSError as error:  # `ssl.SSLError` is one
        raise ConfigurationError(f"OTEL_EXPORTER_OTLP_{what}: {file}: {error.strerror or error}") from error


def _is_here(endpoint: str) -> bool:
    """Whether a collector is on this machine: compressing for it costs 5 µs a job and gains nothing."""
    host = urlsplit(endpoint).hostname or ""
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:  # a name
        return False
