"""ASGI middleware: a span, metrics and an access line around every HTTP request of any application.

It knows no framework. With the application it speaks through `scope`:

| key | written by | meaning |
|---|---|---|
| `penstock.trace_id` | us, before | 32 hex digits, for error bodies; absent where tracing is disabled |
| `penstock.step` | us, before | `with scope["penstock.step"]("parse"):` makes that part of the work a span |
| `penstock.route` | the application | template that matched, like `/v1/jobs/{id}` |
| `penstock.tenant`, `penstock.user` | the application | who asked, once authenticated |
| `penstock.job_id` | the application | the job this request was about |
"""

import time
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any

from opentelemetry.trace import SpanKind
from opentelemetry.util.types import AttributeValue

from penstock.telemetry.facts import RequestServed
from penstock.telemetry.scope import Scope, entered
from penstock.telemetry.traces import attributes as names
from penstock.telemetry.traces.carriers import parse_headers
from penstock.telemetry.traces.conclusion import fail
from penstock.telemetry.traces.sort import Sort
from penstock.telemetry.traces.sorts import Cache
from penstock.telemetry.traces.span import Span
from penstock.telemetry.traces.tracing import Tracing

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
        self._sorts = Cache[Sort]()

    async def __call__(self, scope: ASGIScope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        exchange = _Exchange(scope, send)
        if exchange.probe:
            await self._serve(exchange, receive)
        elif not self._tracing.enabled:
            with entered(_RequestScope(None, exchange)):
                await self._serve(exchange, receive)
        else:
            await self._serve_traced(exchange, receive)

    async def _serve_traced(self, exchange: "_Exchange", receive: Receive) -> None:
        scope = exchange.scope
        with self._tracing.current(self._start_span(exchange)) as span:
            scope["penstock.trace_id"] = span.trace_id
            scope["penstock.step"] = self._tracing.step
            exchange.traceresponse = span.traceparent.encode()
            try:
                with entered(_RequestScope(span, exchange)):
                    await self._serve(exchange, receive)
            finally:
                exchange.describe(span, self._sorts)

    async def _serve(self, exchange: "_Exchange", receive: Receive) -> None:
        try:
            await self._app(exchange.scope, receive, exchange.send)
        except BaseException as error:
            exchange.abandoned = not isinstance(error, Exception)  # cancelled: nobody waits for the answer
            raise
        finally:
            self._emit(exchange.served())

    def _start_span(self, exchange: "_Exchange") -> Span:
        # Named after the method until the route is known: a name may never contain the path.
        sort = exchange.sort(self._sorts, None)
        span = self._tracing.below(parse_headers(_trace_headers(exchange.scope)), sort)
        span.note(names.URL_PATH, exchange.scope["path"])
        if exchange.method == names.ERROR_TYPE_OTHER:
            span.note(names.HTTP_REQUEST_METHOD_ORIGINAL, exchange.scope["method"])
        return span


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

    def sort(self, sorts: Cache[Sort], route: str | None) -> Sort:
        """The sort of its span, once for each method and route."""
        scope = self.scope
        scheme, version = scope.get("scheme", "http"), scope.get("http_version", "1.1")
        key = (self.method, route, scheme, version)
        return sorts.get_or_make(key, _sort, self.method, route, scheme, version)

    def describe(self, span: Span, sorts: Cache[Sort]) -> None:
        """Put on the span what is known after the application ran."""
        route = self.scope.get("penstock.route")
        if route is not None:
            span.sort = self.sort(sorts, route)
        if self._status is not None:
            span.note(names.HTTP_RESPONSE_STATUS_CODE, self._status)
        if self.status >= 500:
            fail(span, str(self.status))
        for key, name in (("tenant", names.PENSTOCK_TENANT), ("user", names.PENSTOCK_USER)):
            if (value := self.scope.get(f"penstock.{key}")) is not None:
                span.note(name, value)

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


class _RequestScope(Scope):
    """What lines inside a request carry; who asked is added once it is known."""

    __slots__ = ("_exchange",)

    def __init__(self, span: Span | None, exchange: _Exchange) -> None:
        super().__init__(span, {"method": exchange.method, "path": exchange.scope["path"]})
        self._exchange = exchange

    @property
    def fields(self) -> Mapping[str, object]:
        """The ids, the request, and from authentication on tenant and user."""
        scope = self._exchange.scope
        told = {"tenant_id": scope.get("penstock.tenant"), "user_id": scope.get("penstock.user")}
        return {**super().fields, **{name: value for name, value in told.items() if value is not None}}


def _sort(method: str, route: str | None, scheme: str, version: str) -> Sort:
    attributes: dict[str, AttributeValue] = {
        names.HTTP_REQUEST_METHOD: method,
        names.URL_SCHEME: scheme,
        names.NETWORK_PROTOCOL_VERSION: version,
    }
    if route is not None:
        attributes[names.HTTP_ROUTE] = route
    return Sort(method if route is None else f"{method} {route}", SpanKind.SERVER, attributes)


def _trace_headers(scope: ASGIScope) -> dict[str, str]:
    """`traceparent` and `tracestate` of the request. Several of a kind are joined, as RFC 9110 §5.3 has it:
    right for `tracestate`, and it makes of several `traceparent` an invalid one, as §3.2 wants."""
    found: dict[str, list[str]] = {}
    for name, value in scope.get("headers", ()):
        if name in (b"traceparent", b"tracestate"):
            found.setdefault(name.decode(), []).append(value.decode("latin-1"))
    return {name: ",".join(values) for name, values in found.items()}
