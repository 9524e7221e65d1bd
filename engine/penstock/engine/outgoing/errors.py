"""What a request can end in, other than an answer. No message holds a query, credentials or a header."""

from datetime import UTC, datetime
from typing import ClassVar

from penstock.engine.errors import PenstockError


class HttpError(PenstockError):
    """The root of what an outgoing request raises; a request that is wrong in itself is `InvalidRequest`."""


class HttpFailed(HttpError):
    """No answer was had that could be used; whether the request was acted upon is not known.

    `status` is that of the answer where one had begun.
    """

    again: ClassVar[bool] = True
    """Whether another attempt may end otherwise."""

    def __init__(self, message: str, *, status: int | None = None) -> None:
        super().__init__(message)
        self.status = status


class HttpTimeout(HttpFailed):
    """It took longer than its settings, or what was left of the job's time, allow."""


class AddressRefused(HttpFailed):
    """The host is at an address where this client may not go; nothing was sent."""

    again = False


class InvalidResponse(HttpFailed):
    """The body is not what was asked for: another content coding, cut off, no JSON, another type."""

    again = False


class ResponseTooLarge(HttpFailed):
    """The body is larger than `max_response` bytes; it was not read to its end."""

    again = False


class TooManyRedirects(HttpFailed):
    """More redirects than `max_redirects`, or one that may not be followed."""

    again = False


class CircuitOpen(HttpError):
    """Requests to the host have failed too often of late; nothing was sent.

    `since` and `until` are seconds since the epoch, `remaining` seconds from now: `raise
    Retry(delay=error.remaining)` is what a job may do about it.
    """

    def __init__(self, origin: str, *, failures: int, since: float, until: float, remaining: float) -> None:
        ends = f"until {_clock(until)}" if remaining > 0 else "until the probe that is under way has ended"
        super().__init__(
            f"the circuit of {origin} is open since {_clock(since)}, after {failures} failures, {ends}"
        )
        self.origin = origin
        self.since = since
        self.until = until
        self.remaining = remaining


class HttpStatusError(HttpError):
    """The answer's status says that the request did not succeed."""

    def __init__(self, message: str, *, status: int) -> None:
        super().__init__(message)
        self.status = status


def _clock(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
