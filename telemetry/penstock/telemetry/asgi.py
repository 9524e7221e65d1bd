"""ASGI middleware: a span, metrics and an access line around every HTTP request of any application.

It knows no framework. With the application it speaks through `scope`:

| key | written by | meaning |
|---|---|---|
| `penstock.trace_id` | us, before | 32 hex digits, for error bodies; absent where tracing is disabled |
| `penstock.route` | the application | template that matched, like `/v1/jobs/{id}` |
| `penstock.tenant`, `penstock.user` | the application | who asked, once authenticated |
| `penstock.job_id` | the application | the job this request was about |
"""

import time
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from opentelemetry.context import Context
from opentelemetry.trace import NonRecordingSpan, Span, SpanKind, set_span_in_context

from penstock.telemetry import attributes as names
from penstock.telemetry.carriers import format_traceparent, parse_headers
from penstock.telemetry.facts import RequestServed
from penstock.telemetry.scope import entered, request_scope
from penstock.telemetry.traces import Tracing, current, fail

ASGIScope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
ASGIApp = Callable[[ASGIScope, Receive, Send], Awaitable[None]]

PROBES = frozenset({"/healthz", "/readyz", "/metrics"})
"""Asked every few seconds by machines: no span, and a line at debug only."""
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH"})
"""RFC 9110 and RFC 5789; others become `_OTHER` in names and labels, or callers could make up
series."""
CLIENT_GONE = 499
"""What nginx calls it when the client left before it was answered; no such status is ever sent."""


class TelemetryMiddleware:
    """Wraps `app`; tells `emit` of each request once it has ended. Other scopes pass through untouched."""

    def __init__(self, app: ASGIApp, tracing: Tracing, emit: Callable[[RequestServed], None]) -> None:
        self._app = app
        self._tracing = tracing
        self._emit = emit

    async def __call__(self, scope: ASGIScope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        exchange = _Exchange(scope, send)
        if exchange.probe:
            await self._serve(exchange, receive)
            return
        with current(self._start_span(exchange)) as span:
            context = span.get_span_context()
            if context.is_valid:
                scope["penstock.trace_id"] = f"{context.trace_id:032x}"
                exchange.traceresponse = format_traceparent(context).encode()
            try:
                with entered(request_scope(exchange.method, scope["path"], context)):
                    await self._serve(exchange, receive)
            finally:
                exchange.describe(span)

    async def _serve(self, exchange: "_Exchange", receive: Receive) -> None:
        try:
            await self._app(exchange.scope, receive, exchange.send)
        except BaseException as error:
            exchange.abandoned = not isinstance(error, Exception)  # cancelled: nobody waits for the answer
            raise
        finally:
            self._emit(exchange.served())

    def _start_span(self, exchange: "_Exchange") -> Span:
        remote = parse_headers(_trace_headers(exchange.scope))
        parent = Context()
        if remote is not None:
            parent = set_span_in_context(NonRecordingSpan(remote), parent)
        # Named after the method until the route is known: a name may never contain the path.
        return self._tracing.tracer.start_span(
            exchange.method, parent, SpanKind.SERVER, exchange.attributes()
        )


class _Exchange:
    """One request and what is known of its answer."""

    def __init__(self, scope: ASGIScope, send: Send) -> None:
        self.scope = scope
        self.method: str = scope["method"] if scope["method"] in METHODS else names.ERROR_TYPE_OTHER
        self.probe = scope["path"] in PROBES
        self.traceresponse: bytes | None = None
        self.abandoned = False
        self._send = send
        self._status: int | None = None
        self._began = time.perf_counter()

    async def send(self, message: Message) -> None:
        """Pass a message on; note the status and add `traceresponse` to the first."""
        if message["type"] == "http.response.start":
            self._status = message["status"]
            if self.traceresponse is not None:
                headers = [*message.get("headers", ()), (b"traceresponse", self.traceresponse)]
                message = {**message, "headers": headers}
        await self._send(message)

    @property
    def status(self) -> int:
        """What was answered, or what it comes to where nothing was."""
        if self._status is not None:
            return self._status
        return CLIENT_GONE if self.abandoned else 500

    def attributes(self) -> dict[str, str]:
        """What is known of the request before the application runs."""
        attributes = {
            names.HTTP_REQUEST_METHOD: self.method,
            names.URL_PATH: self.scope["path"],
            names.URL_SCHEME: self.scope.get("scheme", "http"),
            names.NETWORK_PROTOCOL_VERSION: self.scope.get("http_version", "1.1"),
        }
        if self.method == names.ERROR_TYPE_OTHER:
            attributes[names.HTTP_REQUEST_METHOD_ORIGINAL] = self.scope["method"]
        return attributes

    def describe(self, span: Span) -> None:
        """Put on the span what is known after the application ran."""
        route = self.scope.get("penstock.route")
        if route is not None:
            span.update_name(f"{self.method} {route}")
            span.set_attribute(names.HTTP_ROUTE, route)
        if self._status is not None:
            span.set_attribute(names.HTTP_RESPONSE_STATUS_CODE, self._status)
        if self.status >= 500:
            fail(span, str(self.status))
        for key, name in (("tenant", names.PENSTOCK_TENANT), ("user", names.PENSTOCK_USER)):
            if (value := self.scope.get(f"penstock.{key}")) is not None:
                span.set_attribute(name, value)

    def served(self) -> RequestServed:
        """The fact, for lines and samples."""
        return RequestServed(
            method=self.method,
            route=self.scope.get("penstock.route"),
            status=self.status,
            seconds=time.perf_counter() - self._began,
            tenant=self.scope.get("penstock.tenant"),
            user=self.scope.get("penstock.user"),
            job_id=self.scope.get("penstock.job_id"),
            probe=self.probe,
        )


def _trace_headers(scope: ASGIScope) -> dict[str, str]:
    """`traceparent` and `tracestate` of the request. Several of a kind are joined, as RFC 9110 §5.3 has it:
    right for `tracestate`, and it makes of several `traceparent` an invalid one, as §3.2 wants."""
    found: dict[str, list[str]] = {}
    for name, value in scope.get("headers", ()):
        if name in (b"traceparent", b"tracestate"):
            found.setdefault(name.decode(), []).append(value.decode("latin-1"))
    return {name: ",".join(values) for name, values in found.items()}
