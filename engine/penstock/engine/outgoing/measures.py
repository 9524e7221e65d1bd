"""The metrics of outgoing HTTP, and labels with few values."""

from http import HTTPStatus

from penstock.engine.metric import PART, Counter, Gauge, Histogram

_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10, 30, 60)
"""Seconds; those that the HTTP conventions advise for http.client.request.duration, with two more above."""

SECONDS = Histogram(
    PART,
    "http_client_seconds",
    "Attempts at outgoing HTTP requests, by status, or by what they ended in without one.",
    ("host", "method", "status"),
    buckets=_BUCKETS,
)
RETRIES = Counter(
    PART, "http_client_retries", "Outgoing HTTP requests that were sent once more.", ("host", "method")
)
CIRCUIT = Gauge(
    PART,
    "http_client_circuit",
    "Circuits of outgoing HTTP that are open or half_open; hosts without one are well.",
    ("host", "state"),
)
METRICS = (SECONDS, RETRIES, CIRCUIT)

OTHER_HOST = "__other__"
OTHER_METHOD = "_OTHER"  # the HTTP conventions' word
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH"})
"""RFC 9110 and PATCH of RFC 5789: what the HTTP conventions take for known."""
_STATUSES = {int(status): str(int(status)) for status in HTTPStatus}


def status_label(status: int) -> str:
    """The status, where it is a registered one; else its class, like `4xx`."""
    return _STATUSES.get(status) or f"{status // 100}xx"
