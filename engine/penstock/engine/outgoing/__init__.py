"""HTTP requests to others: bounded, retried with care, told to telemetry, kept out of private networks."""

from penstock.engine.errors import ConfigurationError

try:
    from penstock.engine.outgoing.client import HttpClient
except ModuleNotFoundError as error:
    if error.name not in ("httpx", "httpcore"):
        raise
    raise ConfigurationError(
        f"outgoing HTTP needs {error.name}, which is not installed: pip install 'penstock[outgoing]'"
    ) from error

from penstock.engine.outgoing.errors import (
    AddressRefused,
    CircuitOpen,
    HttpError,
    HttpFailed,
    HttpStatusError,
    HttpTimeout,
    InvalidResponse,
    ResponseTooLarge,
    TooManyRedirects,
)
from penstock.engine.outgoing.measures import METRICS
from penstock.engine.outgoing.response import HttpResponse
from penstock.engine.outgoing.settings import HttpSettings

__all__ = [
    "METRICS",
    "AddressRefused",
    "CircuitOpen",
    "HttpClient",
    "HttpError",
    "HttpFailed",
    "HttpResponse",
    "HttpSettings",
    "HttpStatusError",
    "HttpTimeout",
    "InvalidResponse",
    "ResponseTooLarge",
    "TooManyRedirects",
]
