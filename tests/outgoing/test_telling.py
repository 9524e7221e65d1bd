"""What telemetry and errors are told of a request: all that helps, nothing that is secret."""

import logging
import traceback

import httpx
import pytest
import trio
from opentelemetry.semconv.attributes import http_attributes, server_attributes, url_attributes
from opentelemetry.trace import SpanKind, StatusCode
from trio.testing import MockClock

from outgoing.rig import (
    OUTSIDE,
    STEADY,
    TRACE,
    Backend,
    Resolver,
    Script,
    Told,
    client,
    guarded_client,
    heard,
)
from penstock.engine.metric import PART
from penstock.engine.outgoing import METRICS, HttpClient, HttpFailed, HttpSettings, HttpStatusError
from penstock.engine.outgoing.measures import SECONDS
from penstock.telemetry.metrics.module_metrics import bind_module_metrics
from telemetry.rig import Rig, attempt

URL = "https://user:pass@api.example.com:8443/v1/things?token=hush#part"
OK = httpx.Response(200)
HUSHED = ("user", "pass", "hush", "dXNlcjpwYXNz", "part")


async def test_an_attempt_is_described_by_the_http_conventions() -> None:
    """Name, kind and attributes of a client's span, known to OpenTelemetry's own list."""
    told = Told()
    await client(Script(OK), told).get(URL)
    [operation] = told.operations
    assert (operation.name, operation.kind, operation.error_type) == ("GET", "client", None)
    assert operation.attributes == {
        http_attributes.HTTP_REQUEST_METHOD: "GET",
        server_attributes.SERVER_ADDRESS: "api.example.com",
        server_attributes.SERVER_PORT: 8443,
        url_attributes.URL_FULL: "https://api.example.com:8443/v1/things",
        http_attributes.HTTP_RESPONSE_STATUS_CODE: 200,
    }


async def test_a_second_attempt_says_which_it_is(autojump_clock: MockClock) -> None:
    """And a status from 400 on is the attempt's error."""
    told = Told()
    await client(Script(httpx.Response(404)), told).get(URL)
    await client(Script(httpx.Response(503), OK), told).get(URL)
    assert told.operations[0].error_type == "404"
    assert told.operations[2].attributes[http_attributes.HTTP_REQUEST_RESEND_COUNT] == 1


async def test_a_method_of_ones_own_does_not_make_names_of_spans() -> None:
    """The conventions' word stands for it."""
    told = Told()
    await client(Script(OK), told).request("BREW", URL)
    assert told.operations[0].name == "HTTP"
    assert told.operations[0].attributes["http.request.method"] == "_OTHER"


async def test_paths_can_be_kept_secret_too() -> None:
    """In spans and in errors."""
    told = Told()
    response = await client(Script(httpx.Response(404)), told, show_paths=False).get(URL)
    assert told.operations[0].attributes["url.full"] == "https://api.example.com:8443/"
    assert "things" not in repr(response)


@pytest.mark.parametrize(
    "error", [httpx.ConnectError("x"), httpx.ReadTimeout("x"), httpx.LocalProtocolError("hush pass")]
)
async def test_no_error_and_no_log_line_holds_credentials(
    error: Exception, caplog: pytest.LogCaptureFixture, autojump_clock: MockClock
) -> None:
    """Neither in its text nor in the traceback that is kept with a failed job."""
    caplog.set_level(logging.DEBUG)
    told = Told()
    with pytest.raises(Exception, match=r"api\.example\.com") as caught:
        await client(Script(error), told).get(URL, headers={"X-Key": "hush"})
    said = "".join(traceback.format_exception(caught.value, limit=0)) + caplog.text + repr(told.operations)
    assert [each for each in HUSHED if each in said.replace("passed", "")] == []
    assert told.raised[-1] is caught.value


async def test_libraries_below_log_no_credentials(caplog: pytest.LogCaptureFixture) -> None:
    """At no level, on a connection as real ones are."""
    caplog.set_level(logging.DEBUG)
    trio.socket.set_custom_hostname_resolver(Resolver([OUTSIDE]))
    assert (await guarded_client(Backend()).get(URL, headers={"X-Key": "hush"})).ok
    assert "httpcore" in {record.name.split(".")[0] for record in caplog.records}
    assert [each for each in HUSHED if each in caplog.text] == []


async def test_an_answer_shows_neither_its_body_nor_a_query(caplog: pytest.LogCaptureFixture) -> None:
    """In its `repr`, its errors, or a library's log lines."""
    caplog.set_level(logging.DEBUG)
    response = await client(Script(httpx.Response(404, content=b"hush"))).get(URL)
    with pytest.raises(HttpStatusError) as caught:
        response.raise_for_status()
    with pytest.raises(HttpFailed) as undecodable:
        response.json()
    said = repr(response) + str(caught.value) + str(undecodable.value) + caplog.text
    assert [each for each in HUSHED if each in said] == []


async def test_trace_context_goes_to_hosts_that_are_named_and_to_no_other() -> None:
    """By default to none."""
    for allowed, seen in (
        ((), False),
        (("api.example.com",), True),
        ((".example.com",), True),
        (("b.org",), False),
    ):
        script = Script(OK)
        await client(script, Told(), trace_to=allowed).get(URL)
        headers = script.asked[0].headers
        assert {name: headers.get(name) for name in TRACE} == (TRACE if seen else dict.fromkeys(TRACE))


async def test_attempts_are_measured_with_few_labels(autojump_clock: MockClock) -> None:
    """Hosts that are not declared, methods and statuses that nobody knows share a label."""
    script = Script(OK, httpx.Response(799), httpx.ConnectError("x"), OK)
    with heard(SECONDS) as seconds:
        http = client(script, measured_hosts=("api.example.com",), retries=0)
        await http.get(URL)
        await http.request("BREW", "https://other.org")
        with pytest.raises(HttpFailed):
            await http.get("https://third.org")
    assert seconds == {
        ("api.example.com", "GET", "200"): 1,
        ("__other__", "_OTHER", "7xx"): 1,
        ("__other__", "GET", "failed"): 1,
    }


def test_all_metrics_are_the_parts_own() -> None:
    """Shown without a module's prefix."""
    assert [(metric.module, metric.name) for metric in METRICS] == [
        (PART, "http_client_seconds"),
        (PART, "http_client_retries"),
        (PART, "http_client_circuit"),
    ]


async def test_with_telemetry_each_attempt_is_a_span_that_the_host_can_go_on_from(
    autojump_clock: MockClock,
) -> None:
    """Below the job's own, its error without anything secret; the metrics are shown under their names."""
    rig = Rig()
    unbind = bind_module_metrics(rig.telemetry.metrics, METRICS)
    script = Script(httpx.Response(503), OK)
    settings = HttpSettings(trace_to=("*",), backoff=STEADY)
    http = HttpClient(settings, rig.telemetry.seams(), transport=script.transport)
    this = attempt()
    with rig.telemetry.around_attempt(this):
        await http.get(URL)
        script.answers[:] = [httpx.ConnectError("no route")]
        with pytest.raises(HttpFailed):
            await http.post(URL)
    unbind()
    first, second, failed = (
        span for span in rig.finished.get_finished_spans() if span.kind is SpanKind.CLIENT
    )
    for span, request in zip((first, second, failed), script.asked, strict=True):
        assert span.context is not None
        assert f"-{span.context.span_id:016x}-" in request.headers["traceparent"]
        assert span.parent is not None
    assert (second.name, (second.attributes or {})["http.request.resend_count"]) == ("GET", 1)
    assert (first.status.status_code, second.status.status_code) == (StatusCode.ERROR, StatusCode.UNSET)
    assert (failed.attributes or {})["error.type"] == "penstock.engine.outgoing.errors.HttpFailed"
    assert [each for each in HUSHED if each in failed.to_json() + first.to_json()] == []
    labels = {"host": "__other__", "method": "GET"}
    assert rig.value("penstock_http_client_retries_total", **labels) == 1
