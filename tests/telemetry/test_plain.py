"""What is put together in a quicker way for attempts that went well says the same as what is made for all."""

import io
import json
import time
from collections.abc import Sequence
from typing import Any

import msgspec
import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry import trace
from opentelemetry.proto.trace.v1 import trace_pb2
from opentelemetry.sdk.trace import ReadableSpan

from penstock.engine import events as e
from penstock.engine.attempt import Attempt
from penstock.engine.outcome import Succeeded
from penstock.telemetry import Telemetry
from penstock.telemetry.export.start import Export
from penstock.telemetry.logs.plain_ending import PlainEndings
from penstock.telemetry.logs.redaction import Redaction
from penstock.telemetry.logs.schema import LogSchema
from penstock.telemetry.logs.setup import configure_logs
from penstock.telemetry.metrics.families import Metrics
from penstock.telemetry.traces.provider import Provider
from penstock.telemetry.traces.span import Span
from telemetry.rig import attempt

DONE = Succeeded(msgspec.Raw(b"\xc0"))
HEADERS = {"traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"}
ENTRY = 3
"""Bytes in front of an entry of `ScopeSpans` whose length takes two: its tag and that length."""

texts = st.none() | st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
attempts = st.fixed_dictionaries(
    {
        "job_id": st.text(min_size=1, max_size=12) | st.just("media." + "x" * 150),
        "tenant": texts | st.sampled_from(["@trace@", "100 %", '"', "2009-02-13T23:31:30.654321Z"]),
        "user": texts,
        "priority": st.integers(0, 9),
        "crashes": st.integers(0, 2),
        "waited": st.floats(0, 1e6),
    }
)


class Bytes:
    """An outlet that keeps spans as bytes; those made as spans are encoded."""

    def __init__(self) -> None:
        self.kept: list[bytes] = []
        self.spans = 0

    def put(self, span: Span) -> None:
        self.spans += 1
        self.kept.append(span.encode())

    def put_readable(self, span: ReadableSpan) -> None:
        raise AssertionError(span)

    def flush(self, timeout: float) -> bool:
        return True


class Direct(Bytes):
    """One that wants bytes."""

    def put_encoded(self, ended: int, spans: Sequence[bytes]) -> None:
        assert ended > 0
        self.kept += spans


class Told:
    """A `Telemetry` with one of these outlets, and what came out of it."""

    def __init__(
        self, outlet: Bytes, *, schema: LogSchema = "otel", redaction: Redaction | None = None
    ) -> None:
        self.outlet = outlet
        self.stream = io.StringIO()
        provider = Provider()
        provider.add_outlet(outlet)
        logs = configure_logs(format="json", stream=self.stream, schema=schema, redaction=redaction)
        self.telemetry = Telemetry(logs, Metrics(), Export(provider))

    def tell(self, this: Attempt, *, touch: bool = False) -> "Told":
        """Have an attempt made that succeeds; `touch`: its handler asks for its span."""
        [observe] = self.telemetry.observers()
        with self.telemetry.around_attempt(this):
            observe(e.JobStarted(this))
            if touch:
                trace.get_current_span().set_attribute("touched", True)
            this.outcome = DONE
            observe(e.JobFinished(this, 1.25))
        self.telemetry.tell()
        return self

    def spans(self) -> dict[str, trace_pb2.Span]:
        """By name, without what is made up or measured."""
        found: dict[str, trace_pb2.Span] = {}
        for entry in self.outlet.kept:
            span = trace_pb2.Span.FromString(entry[ENTRY:])
            span.span_id = b""
            span.end_time_unix_nano -= span.start_time_unix_nano
            if span.name.startswith("process"):
                span.end_time_unix_nano = 0
            span.start_time_unix_nano = 0
            attributes = sorted(span.attributes, key=lambda pair: pair.key)
            del span.attributes[:]
            span.attributes.extend(attributes)
            found[span.name] = span
        return found

    def lines(self) -> list[dict[str, Any]]:
        """Every line, without what is made up or measured."""
        assert self.telemetry.logs.close(5.0)
        lines = [json.loads(line) for line in self.stream.getvalue().split("\n")[:-1]]
        return [{k: v for k, v in line.items() if k not in _CHANGING} for line in lines]


_CHANGING = {"timestamp", "@timestamp", "span_id", "span.id"}


def never(_endings: PlainEndings, _told: object) -> None: ...


@given(given=attempts)
def test_the_bytes_of_two_spans_are_what_two_spans_would_be(given: dict[str, Any]) -> None:
    """Names, attributes, parent, ids, flags and, of `wait`, how long."""
    quick, usual = Told(Direct()), Told(Bytes())
    for told in (quick, usual):
        told.tell(attempt(headers=dict(HEADERS), **given))
        told.telemetry.logs.close(5.0)

    assert quick.outlet.spans == 0
    assert usual.outlet.spans == 2
    assert quick.spans() == usual.spans()


def test_a_span_that_somebody_asked_for_is_made() -> None:
    """With what was put on it, under the id that its lines have."""
    told = Told(Direct()).tell(attempt(headers=dict(HEADERS)), touch=True)

    assert told.outlet.spans == 2
    assert "touched" in {pair.key for pair in told.spans()["process media"].attributes}


def test_spans_are_made_where_anybody_else_wants_to_see_them() -> None:
    """A second outlet, or a processor of the user's."""
    first, second = Direct(), Direct()
    told = Told(first)
    told.telemetry.tracing.provider.add_outlet(second)
    told.tell(attempt(headers=dict(HEADERS)))

    assert (first.spans, second.spans) == (2, 2)


@given(given=attempts)
def test_the_line_of_an_ending_says_what_any_line_would_say(given: dict[str, Any]) -> None:
    """Twice, because the first of a kind is looked at more closely."""
    with pytest.MonkeyPatch.context() as patch:
        quick = Told(Direct())
        for _ in range(2):
            quick.tell(attempt(headers=dict(HEADERS), **given))
        patch.setattr(PlainEndings, "line", never)
        usual = Told(Direct())
        for _ in range(2):
            usual.tell(attempt(headers=dict(HEADERS), **given))
        assert quick.lines() == usual.lines()


@pytest.mark.parametrize("schema", ["otel", "ecs", "cloudwatch"])
def test_it_does_so_in_each_schema(schema: LogSchema, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whether or not it can be put together in the quick way there."""
    quick = Told(Direct(), schema=schema).tell(attempt(headers=dict(HEADERS)))
    monkeypatch.setattr(PlainEndings, "line", never)
    usual = Told(Direct(), schema=schema).tell(attempt(headers=dict(HEADERS)))

    assert quick.lines() == usual.lines()


@pytest.mark.parametrize("name", ["job_id", "trace_id", "queue", "seconds", "timestamp"])
def test_hidden_names_are_hidden_in_it(name: str) -> None:
    """Of what changes from line to line, and of what does not."""
    told = Told(Direct(), redaction=Redaction([name])).tell(attempt(headers=dict(HEADERS)))

    [line] = [json.loads(line) for line in _closed(told)]
    assert line[name] == "[redacted]"


def test_known_secrets_are_hidden_in_it() -> None:
    """By their value, wherever they stand."""
    told = Told(Direct(), redaction=Redaction((), {"a setting": "hunter2hunter2"}))
    told.tell(attempt("media.hunter2hunter2", headers=dict(HEADERS), user="hunter2hunter2"))

    [line] = _closed(told)
    assert "hunter2" not in line


def test_most_lines_are_put_together_in_the_quick_way(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first of a kind is rendered, as it is and with marks, however many there are."""
    # With a fraction of a microsecond that rounding and cutting see differently.
    monkeypatch.setattr(time, "time_ns", lambda: 1_763_733_000_123_456_789)
    told, rendered = Told(Direct()), list[object]()
    render = told.telemetry._tell._teller.render

    def counted(*line: Any) -> bytes:
        rendered.append(line)
        return render("info", *line)

    monkeypatch.setattr(told.telemetry._tell._plain, "_render", counted)
    for number in range(5):
        told.tell(attempt(f"media.{number}", headers=dict(HEADERS)))

    assert len(rendered) == 2
    assert [line["job_id"] for line in told.lines()] == [f"media.{number}" for number in range(5)]


def test_what_is_bound_to_the_whole_process_stands_on_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """And what only a job's author has bound, on the lines of that job."""
    with structlog.contextvars.bound_contextvars(process=3):
        told = Told(Direct())
        for number in range(3):
            with structlog.contextvars.bound_contextvars(**({"order": 17} if number == 1 else {})):
                told.tell(attempt(f"media.{number}", headers=dict(HEADERS)))

    assert [(line["process"], line.get("order")) for line in told.lines()] == [(3, None), (3, 17), (3, None)]
    assert len(told.telemetry._tell._plain._kinds) == 1


def _closed(told: Told) -> list[str]:
    assert told.telemetry.logs.close(5.0)
    return told.stream.getvalue().split("\n")[:-1]
