"""Secrets that a process knows because it was started with them: in URLs, headers and variables."""

import os
from collections.abc import Mapping
from urllib.parse import parse_qsl, unquote, urlsplit

from opentelemetry.util.re import parse_env_headers

_PUBLIC = frozenset({"content-type", "user-agent", "x-honeycomb-dataset", "x-scope-orgid"})
"""Headers that say who sends; every other one is taken for a credential, whatever its name."""


def secrets_of_url(url: str) -> list[str]:
    """Passwords that a URL carries, before its host or as an option whose name says so."""
    try:
        parts = urlsplit(url)
        found = [parts.password, *(value for name, value in parse_qsl(parts.query) if "password" in name)]
    except ValueError:  # no URL: whoever uses it says so
        return []
    return [unquote(secret) for secret in found if secret]


def secrets_of_header(value: str) -> list[str]:
    """A header's value, and the credentials alone where a scheme stands before them (RFC 9110, §11.4)."""
    _, _, credentials = value.strip().partition(" ")
    return [secret for secret in (value.strip(), credentials.strip()) if secret]


def otlp_secrets(endpoint: str | None, environ: Mapping[str, str] = os.environ) -> dict[str, str]:
    """What the OTLP exporter is told by `endpoint` and by OTEL_EXPORTER_OTLP_[TRACES_]{HEADERS,ENDPOINT}."""
    found: dict[str, str] = {}
    for kind in ("OTEL_EXPORTER_OTLP", "OTEL_EXPORTER_OTLP_TRACES"):
        headers = parse_env_headers(environ.get(f"{kind}_HEADERS", ""), liberal=True)
        for name, value in headers.items():
            if name.lower() in _PUBLIC:
                continue
            for number, secret in enumerate(secrets_of_header(value)):
                found[f"{kind}_HEADERS {name} {number}"] = secret
        for secret in secrets_of_url(environ.get(f"{kind}_ENDPOINT", "")):
            found[f"{kind}_ENDPOINT"] = secret
    for secret in secrets_of_url(endpoint or ""):
        found["otlp_endpoint"] = secret
    return found
