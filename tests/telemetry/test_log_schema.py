"""The names that each backend wants, and the page that shows them."""

import io
import json
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any, get_args

import msgspec
import pytest
import structlog

from penstock.engine.events import JobFinished
from penstock.engine.job import JobError
from penstock.engine.outcome import Outcome, Retry, Succeeded
from penstock.telemetry.ledger import Ledger
from penstock.telemetry.logs import lines as log_lines
from penstock.telemetry.logs.observer import LogObserver
from penstock.telemetry.logs.schema import ECS_NAMES, LogSchema
from penstock.telemetry.logs.setup import configure_logs
from penstock.telemetry.scope import Scope, attempt_fields, entered
from telemetry.rig import attempt

PAGE = Path(__file__).parents[2] / "docs" / "logs.md"
SCHEMAS: tuple[LogSchema, ...] = get_args(LogSchema)
DONE = Succeeded(msgspec.Raw(b"\xc0"))
TRACE, SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
ERROR = JobError("builtins.KeyError", "'width'", "Traceback ...", fingerprint="1f2e3d4c5b6a7988")

ECS = {  # of version 8.11 (https://www.elastic.co/docs/reference/ecs) those that are used here
    *("@timestamp", "ecs.version", "error.message", "error.stack_trace", "error.type", "event.duration"),
    *("http.request.method", "http.response.status_code", "log.level", "log.logger", "message"),
    *("service.name", "span.id", "trace.id", "url.path", "user.id"),
}


def finished(schema: LogSchema, outcome: Outcome = DONE, **more: Any) -> str:
    """The line of an attempt that ended."""
    stream = io.StringIO()
    this = attempt("media.7k2m", tenant="acme", user="ann", outcome=outcome, **more)
    ids = {"trace_id": TRACE, "span_id": SPAN, "trace_flags": "01"}
    logs = configure_logs(format="json", schema=schema, service="penstock-worker", stream=stream)
    with entered(Scope(None, {**ids, **attempt_fields(None, this)})):
        told = LogObserver(logs.logger("penstock"), logs.teller("penstock"))
        ledger = Ledger(told, bound=log_lines.bound_fields)
        ledger(JobFinished(this, 1.25))
        ledger.tell()
    assert logs.close(5.0)
    return stream.getvalue().rstrip("\n")


def said(schema: LogSchema, **fields: Any) -> dict[str, Any]:
    """What a line with these fields has under `schema`."""
    stream = io.StringIO()
    logs = configure_logs(format="json", schema=schema, stream=stream)
    structlog.get_logger("billing").info("invoice sent", **fields)
    assert logs.close(5.0)
    line: dict[str, Any] = json.loads(stream.getvalue())
    return line


@pytest.mark.parametrize("schema", SCHEMAS)
def test_the_page_shows_each_schema_as_it_is(schema: LogSchema, monkeypatch: pytest.MonkeyPatch) -> None:
    """The example lines of docs/logs.md are what is written."""
    then = datetime(2026, 3, 14, 9, 26, 53, 589793, UTC)

    def fromtimestamp(_seconds: float, _zone: object) -> datetime:
        return then

    monkeypatch.setattr(log_lines, "datetime", SimpleNamespace(fromtimestamp=fromtimestamp))

    line = finished(schema)
    assert line.startswith("{")
    assert line in PAGE.read_text().splitlines()


def test_the_page_lists_every_name_that_ecs_gets() -> None:
    """Whoever maps indices finds all of them."""
    page = PAGE.read_text()
    assert [name for pair in ECS_NAMES.items() for name in pair if f"`{name}`" not in page] == []


def test_otel_is_flat_and_renames_nothing() -> None:
    """`trace_id`, `span_id` and `trace_flags` where the OpenTelemetry log data model has them."""
    line = json.loads(finished("otel"))

    assert (line["trace_id"], line["span_id"], line["trace_flags"]) == (TRACE, SPAN, "01")
    assert (line["level"], line["event"], line["job_id"]) == ("info", "job finished", "media.7k2m")


@pytest.mark.parametrize("outcome", [DONE, Retry(error=ERROR)], ids=["succeeded", "failed"])
def test_ecs_has_its_own_names_and_else_only_namespaces(outcome: Outcome) -> None:
    """Whatever ECS does not know is `penstock.*` or `labels.*`, where it cannot clash with what ECS knows."""
    line = json.loads(finished("ecs", outcome, logged={"width": 200}))

    assert list(line)[:3] == ["@timestamp", "log.level", "message"]  # as ecs-logging orders them
    others = {name for name in line if name not in ECS}
    assert others
    assert all(name.startswith(("penstock.", "labels.")) for name in others)
    assert (line["trace.id"], line["span.id"], line["user.id"]) == (TRACE, SPAN, "ann")
    assert line["service.name"] == "penstock-worker"
    assert line["event.duration"] == 1_250_000_000
    assert line["penstock.job.args"] == '{"width":200}'
    if outcome is not DONE:
        assert (line["error.type"], line["error.message"], line["error.stack_trace"]) == (
            ERROR.type,
            ERROR.message,
            ERROR.traceback,
        )


@pytest.mark.parametrize(
    ("name", "value", "label"),
    [
        ("host", "db-1", "db-1"),  # an object in ECS: as a field of its own it would have the line refused
        ("status", "shipped", "shipped"),  # a number in ECS, if it is HTTP's
        ("error", {"code": 7}, '{"code":7}'),
        ("total", 12, 12),
        ("http.status", 200, 200),
        ("sizes", [1, 2], [1, 2]),
        ("box", {"left": 1}, '{"left":1}'),
        ("boxes", [{"left": 1}], '[{"left":1}]'),
        ("at", datetime(2026, 3, 14, tzinfo=UTC), "2026-03-14T00:00:00Z"),
    ],
)
def test_what_authors_say_becomes_labels(name: str, value: object, label: object) -> None:
    """Keywords, never objects: `labels` holds no more."""
    line = said("ecs", **{name: value})

    assert line[f"labels.{name.replace('.', '_')}"] == label
    assert name not in line


def test_cloudwatch_has_both_forms_of_the_trace_id() -> None:
    """Application Signals' flat fields, and X-Ray's `1-<8 hex>-<24 hex>`."""
    line = json.loads(finished("cloudwatch"))

    assert (line["trace_id"], line["span_id"], line["trace_flags"]) == (TRACE, SPAN, "01")
    assert line["xray_trace_id"] == "1-0af76519-16cd43dd8448eb211c80319c"
    assert (line["level"], line["message"]) == ("INFO", "job finished")
    assert datetime.fromisoformat(line["timestamp"]).tzinfo == UTC


@pytest.mark.parametrize("schema", SCHEMAS)
def test_no_schema_lets_an_odd_value_break_a_line(schema: LogSchema) -> None:
    """Also where names are changed first."""
    line = said(schema, value="\ud800", trace_id=7, seconds="many")

    assert "invoice sent" in (line.get("event"), line.get("message"))


@pytest.mark.parametrize("schema", SCHEMAS)
def test_an_exception_says_its_type_and_message_apart(schema: LogSchema) -> None:
    """So that lines can be counted by type, under whatever name the schema has for it."""
    try:
        raise LookupError("nobody there")
    except LookupError as error:
        line = said(schema, exc_info=error)

    names = {"ecs": ("error.type", "error.message", "error.stack_trace")}
    kind, message, trace = names.get(schema, ("error_type", "error", "exception"))
    assert (line[kind], line[message]) == ("LookupError", "nobody there")
    assert line[trace].startswith("Traceback")
