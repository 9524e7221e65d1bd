"""The middleware around any ASGI application."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
import structlog
import trio
from opentelemetry.trace import SpanKind, StatusCode

from penstock.telemetry.asgi import ASGIApp, ASGIScope, Message, Receive, Send
from telemetry.rig import Rig, request

TRACEPARENT = b"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


def application(status: int = 200, **keys: Any) -> ASGIApp:
    """Answers everything with `status`, and writes `penstock.*` keys as penstock.http does."""

    async def app(scope: ASGIScope, _receive: Receive, send: Send) -> None:
        structlog.get_logger().info("inside")
        scope.update({f"penstock.{key}": value for key, value in keys.items()})
        await send({"type": "http.response.start", "status": status, "headers": [(b"x", b"y")]})
        await send({"type": "http.response.body", "body": b""})

    return app


async def call(
    rig: Rig, app: ASGIApp, path: str = "/v1/jobs/7", method: str = "GET", headers: Any = ()
) -> tuple[ASGIScope, list[Message]]:
    """One request; the scope as it was left and the messages that were sent."""
    sent: list[Message] = []

    async def receive() -> Message:
        return {"type": "http.request"}

    async def send(message: Message) -> None:
        sent.append(message)

    scope: ASGIScope = {"type": "http", "method": method, "path": path, "headers": list(headers)}
    await rig.telemetry.middleware(app)(scope, receive, send)
    return scope, sent


async def test_a_request_is_one_server_span(rig: Rig) -> None:
    """Named by method and template, with the conventions' attributes, and no more spans than that."""
    app = application(route="/v1/jobs/{id}", tenant="acme", user="ann")
    await call(rig, app)

    (span,) = rig.finished.get_finished_spans()
    assert (span.name, span.kind) == ("GET /v1/jobs/{id}", SpanKind.SERVER)
    assert StatusCode.UNSET is span.status.status_code
    assert dict(span.attributes or {}) == {
        "http.request.method": "GET",
        "url.path": "/v1/jobs/7",
        "url.scheme": "http",
        "network.protocol.version": "1.1",
        "http.route": "/v1/jobs/{id}",
        "http.response.status_code": 200,
        "messaging.penstock.tenant": "acme",
        "messaging.penstock.user": "ann",
    }


async def test_an_unmatched_path_names_nothing(rig: Rig) -> None:
    """Paths are the world's to choose: neither a span's name nor a label is made of one."""
    await call(rig, application(404), path="/wp-admin")

    assert {"GET"} == set(rig.spans())
    labels = {"method": "GET", "route": "__unmatched__", "status": "404"}
    assert rig.value("penstock_http_requests_total", **labels) == 1


async def test_a_trace_goes_on_and_comes_back(rig: Rig) -> None:
    """The caller's trace is continued, and the answer says which span it was."""
    scope, sent = await call(rig, application(), headers=[(b"traceparent", TRACEPARENT)])

    span = rig.spans()["GET"]
    assert span.context is not None
    assert span.parent is not None
    assert span.parent.span_id == 0x00F067AA0BA902B7
    assert scope["penstock.trace_id"] == "4bf92f3577b34da6a3ce929d0e0e4736"
    traceresponse = f"00-4bf92f3577b34da6a3ce929d0e0e4736-{span.context.span_id:016x}-01".encode()
    assert [(b"x", b"y"), (b"traceresponse", traceresponse)] == sent[0]["headers"]


async def test_two_traceparents_are_none(rig: Rig) -> None:
    """Nobody can say which one is meant."""
    await call(rig, application(), headers=[(b"traceparent", TRACEPARENT)] * 2)

    assert rig.spans()["GET"].parent is None


async def test_the_application_knows_its_trace_before_it_runs(rig: Rig) -> None:
    """An error body can carry it; a submission inside is a child of the request."""
    seen: list[str] = []

    async def app(scope: ASGIScope, _receive: Receive, send: Send) -> None:
        seen.append(scope["penstock.trace_id"])
        with rig.telemetry.around_submit([request()]) as headers:
            seen.append(headers["traceparent"].split("-")[1])
        await send({"type": "http.response.start", "status": 202})

    await call(rig, app)

    assert len(set(seen)) == 1
    enqueue, server = rig.spans()["enqueue media"], rig.spans()["GET"]
    assert enqueue.parent is not None
    assert server.context is not None
    assert server.context.span_id == enqueue.parent.span_id


async def test_lines_inside_a_request_know_it(rig: Rig) -> None:
    """Ids, method and path stand on each; one access line follows with how it went."""
    await call(rig, application(202, route="/v1/jobs", tenant="acme", job_id="media.1"), method="POST")

    inside, access = rig.lines()
    assert (inside["method"], inside["path"]) == ("POST", "/v1/jobs/7")
    assert inside["trace_id"] == access["trace_id"]
    assert tuple(
        access[key] for key in ("level", "event", "method", "route", "status", "tenant_id", "job_id")
    ) == ("info", "request served", "POST", "/v1/jobs", 202, "acme", "media.1")
    assert access["seconds"] >= 0


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/metrics"])
async def test_probes_leave_no_traces(rig: Rig, path: str) -> None:
    """No span, no header, and a line at debug only."""
    scope, sent = await call(rig, application(route=path), path=path)

    assert rig.finished.get_finished_spans() == ()
    assert sent[0]["headers"] == [(b"x", b"y")]
    assert "penstock.trace_id" not in scope
    assert rig.lines()[-1]["level"] == "debug"


async def test_a_server_error_is_an_error(rig: Rig) -> None:
    """5xx is ours, 4xx is the caller's."""
    await call(rig, application(503, route="/a"))
    await call(rig, application(422, route="/b"))

    ours, theirs = rig.spans()["GET /a"], rig.spans()["GET /b"]
    assert (ours.status.status_code, (ours.attributes or {})["error.type"]) == (StatusCode.ERROR, "503")
    assert StatusCode.UNSET is theirs.status.status_code


async def test_an_application_that_raises_is_an_error(rig: Rig) -> None:
    """It is counted as 500, its class is on the span, and the error goes on to the server."""

    async def app(scope: ASGIScope, _receive: Receive, _send: Send) -> None:
        scope["penstock.route"] = "/a"
        raise KeyError("width")

    with pytest.raises(KeyError):
        await call(rig, app)

    span = rig.spans()["GET /a"]
    assert (span.status.status_code, (span.attributes or {})["error.type"]) == (StatusCode.ERROR, "KeyError")
    assert rig.value("penstock_http_requests_total", method="GET", route="/a", status="500") == 1


async def test_a_client_that_leaves_is_no_server_error(rig: Rig) -> None:
    """Cancellation passes through; the request is counted under 499."""

    async def app(_scope: ASGIScope, _receive: Receive, _send: Send) -> None:
        scope.cancel()
        await trio.sleep_forever()

    with trio.CancelScope() as scope:
        await call(rig, app)

    assert scope.cancelled_caught
    labels = {"method": "GET", "route": "__unmatched__", "status": "499"}
    assert rig.value("penstock_http_requests_total", **labels) == 1
    assert len(rig.finished.get_finished_spans()) == 1


async def test_made_up_methods_make_no_series(rig: Rig) -> None:
    """They are `_OTHER`; the span keeps what was said."""
    await call(rig, application(405), method="BREW")

    assert (
        rig.value("penstock_http_requests_total", method="_OTHER", route="__unmatched__", status="405") == 1
    )
    assert (rig.spans()["_OTHER"].attributes or {})["http.request.method_original"] == "BREW"


@pytest.mark.parametrize("kind", ["lifespan", "websocket"])
async def test_other_scopes_pass_through(rig: Rig, kind: str) -> None:
    """Untouched: the same objects, and nothing is reported."""
    got: list[Any] = []

    async def app(*given: Any) -> None:
        got.extend(given)

    async def receive() -> Message:
        return {}

    async def send(_message: Message) -> None:
        pass

    given: tuple[ASGIScope, Callable[[], Awaitable[Message]], Send] = ({"type": kind}, receive, send)
    await rig.telemetry.middleware(app)(*given)

    assert list(given) == got
    assert rig.finished.get_finished_spans() == ()
