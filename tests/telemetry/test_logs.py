"""Log lines: their form, what they carry without being told, and what they keep to themselves."""

import io
import json
import logging
import re
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest
import structlog

from penstock.engine.errors import ConfigurationError
from penstock.telemetry.logs import lines as log_lines
from penstock.telemetry.logs.lines import MAX_LINE
from penstock.telemetry.logs.setup import Logs, configure_logs
from penstock.telemetry.scope import Scope, attempt_fields, entered
from telemetry.rig import attempt


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


class Unprintable:
    """A value whose `repr` raises."""

    def __repr__(self) -> str:
        raise RuntimeError("no words for it")


@pytest.fixture
def stream() -> io.StringIO:
    """Where the lines go."""
    return io.StringIO()


@pytest.fixture
def logs(stream: io.StringIO) -> Iterator[Logs]:
    """Logs as JSON at the level info."""
    logs = configure_logs(level="info", format="json", stream=stream)
    yield logs
    logs.close(5.0)


def written(logs: Logs, stream: io.StringIO) -> list[dict[str, Any]]:
    assert logs.close(5.0)
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_a_line_says_when_how_grave_what_and_who_first(logs: Logs, stream: io.StringIO) -> None:
    """Every line starts with timestamp, level, event and logger; the time is RFC 3339 in UTC."""
    structlog.get_logger("billing").info("invoice sent", total=12)

    (line,) = written(logs, stream)
    assert list(line) == ["timestamp", "level", "event", "logger", "total"]
    assert tuple(line.values())[1:] == ("info", "invoice sent", "billing", 12)
    assert line["timestamp"].endswith("Z")
    assert timedelta(0) == datetime.fromisoformat(line["timestamp"]).utcoffset()


def test_lines_below_the_level_are_not_written(logs: Logs, stream: io.StringIO) -> None:
    """`level` holds for structlog and for the standard library alike."""
    structlog.get_logger().debug("quiet")
    logging.getLogger("hypercorn.error").debug("quiet")

    assert written(logs, stream) == []


def test_the_standard_library_writes_the_same_lines(logs: Logs, stream: io.StringIO) -> None:
    """Hypercorn and others come over one bridge, arguments filled in."""
    logging.getLogger("hypercorn.error").info("Running on %s", "http://127.0.0.1")

    (line,) = written(logs, stream)
    assert list(line) == ["timestamp", "level", "event", "logger"]
    assert tuple(line.values())[1:] == ("info", "Running on http://127.0.0.1", "hypercorn.error")


@pytest.mark.parametrize("bridged", [False, True])
def test_a_traceback_is_bounded_and_without_local_variables(
    logs: Logs, stream: io.StringIO, bridged: bool
) -> None:
    """Local variables hold secrets; deep stacks and long messages hold nobody's interest."""

    def fall(depth: int) -> None:
        password = "hunter2"
        if depth:
            fall(depth - 1)
        raise ValueError(f"{len(password)} characters too few " + "!" * 50_000)

    try:
        fall(60)
    except ValueError:
        if bridged:
            logging.getLogger("other").exception("failed")
        else:
            structlog.get_logger().exception("failed")

    (line,) = written(logs, stream)
    assert line["level"] == "error"
    assert len(line["exception"]) <= 8_000
    assert 'password = "hunter2"' not in line["exception"]
    assert "exc_info" not in line


def test_a_traceback_keeps_the_innermost_frames(logs: Logs, stream: io.StringIO) -> None:
    """The cause stands at the end, and the end is kept."""
    try:
        json.loads("{")
    except ValueError:
        structlog.get_logger().exception("failed")

    (line,) = written(logs, stream)
    assert "JSONDecodeError" in line["exception"].splitlines()[-1]


@pytest.mark.parametrize("value", [Unprintable(), "\ud800", {("a", "tuple"): 1}, float("nan"), object()])
def test_no_value_can_break_a_line(logs: Logs, stream: io.StringIO, value: object) -> None:
    """Logging an odd value costs at most its own text."""
    structlog.get_logger().info("odd", value=value, total=1)

    (line,) = written(logs, stream)
    assert line["event"] == "odd"


def test_what_authors_bind_stands_on_the_line(logs: Logs, stream: io.StringIO) -> None:
    """structlog's own context variables work as its documentation says."""
    with structlog.contextvars.bound_contextvars(invoice=7):
        structlog.get_logger().info("inside")
    structlog.get_logger().info("outside")

    inside, outside = written(logs, stream)
    assert inside["invoice"] == 7
    assert "invoice" not in outside


def test_a_terminal_gets_readable_colours() -> None:
    """`auto` is for people where people look, tracebacks included."""
    stream = Terminal()
    logs = configure_logs(stream=stream)
    try:
        raise ValueError("broken")
    except ValueError:
        structlog.get_logger().exception("hello")
    assert logs.close(5.0)

    text = stream.getvalue()
    assert "\x1b[" in text
    assert "hello" in text
    assert "ValueError: broken" in text


def test_a_terminal_shows_what_people_read_first() -> None:
    """The time of day, then the words, aligned; what the line says before where it says it; ids cut short."""
    stream = io.StringIO()
    logs = configure_logs(format="console", stream=stream)
    ids = {"trace_id": "0af7651916cd43dd8448eb211c80319c", "span_id": "b7ad6b7169203331", "trace_flags": "01"}
    with entered(Scope(None, {**ids, **attempt_fields(None, attempt("media.7k2m"))})):
        structlog.get_logger("billing").info("sent", total=12)
        logging.getLogger("library").warning("slow")
    assert logs.close(5.0)

    first, second = stream.getvalue().splitlines()
    assert re.match(r"\d\d:\d\d:\d\d\.\d{3} \[info +\] sent +\[billing\] total=12 ", first)
    assert first.index("[billing]") == second.index("[library]")
    assert " job_id=media.7k2m job=images.thumbnail queue=media attempt=1 " in first
    assert first.endswith(" trace_id=0af76519 span_id=b7ad6b71")
    assert "module" not in first


@pytest.mark.parametrize("value", [Unprintable(), "\ud800", {("a", "tuple"): 1}, object()])
def test_no_value_can_break_a_line_on_a_terminal(value: object) -> None:
    """Nor the job that writes it."""
    stream = io.StringIO()
    logs = configure_logs(format="console", stream=stream)
    structlog.get_logger().info("odd", value=value, total=1)
    assert logs.close(5.0)

    assert "odd" in stream.getvalue()
    assert "total=1" in stream.getvalue()


def test_a_line_too_long_is_written_shorter(logs: Logs, stream: io.StringIO) -> None:
    """Memory for a stalled stream is bounded, and pipelines refuse long lines as a whole."""
    structlog.get_logger().info("long", body="x" * 1_000_000, **{f"field{n}": "y" * 900 for n in range(100)})

    (line,) = written(logs, stream)
    assert len(stream.getvalue()) <= MAX_LINE
    assert (line["event"], line["shortened"], set(line["body"])) == ("long", True, {"x"})


def test_what_the_line_is_cannot_be_said_otherwise(logs: Logs, stream: io.StringIO) -> None:
    """Level, time and logger are the line's own; all else is the author's."""
    structlog.get_logger("billing").warning("sent", level=3, timestamp="never", logger="other")

    (line,) = written(logs, stream)
    assert (line["level"], line["logger"]) == ("warning", "billing")
    assert datetime.fromisoformat(line["timestamp"]).year >= 2026


def test_bound_fields_stand_between_the_job_and_the_line(logs: Logs, stream: io.StringIO) -> None:
    """What the line says wins over what is bound, and that over the fields of the job."""
    job = Scope(None, {"a": "job", "b": "job", "c": "job"})
    with entered(job), structlog.contextvars.bound_contextvars(b="bound", c="bound"):
        structlog.get_logger().info("here", c="line")
        structlog.contextvars.unbind_contextvars("b")
        structlog.get_logger().info("unbound")

    first, second = written(logs, stream)
    assert (first["a"], first["b"], first["c"]) == ("job", "bound", "line")
    assert (second["a"], second["b"], second["c"]) == ("job", "job", "bound")


def test_bound_fields_are_found_without_structlog_s_own_table(
    logs: Logs, stream: io.StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The table is no public part of structlog; a version without it costs time, not fields."""
    assert log_lines._bound is structlog.contextvars._CONTEXT_VARS
    monkeypatch.setattr(log_lines, "_bound", None)
    with structlog.contextvars.bound_contextvars(invoice=7):
        structlog.get_logger().info("inside")

    assert written(logs, stream)[0]["invoice"] == 7


def test_structlog_s_own_way_of_testing_works(logs: Logs) -> None:
    """`capture_logs` takes the place of whatever renders."""
    log = structlog.get_logger("billing").bind()
    with structlog.testing.capture_logs() as captured:
        log.info("sent", total=12)

    assert captured == [{"event": "sent", "total": 12, "log_level": "info"}]


def test_an_unknown_level_is_a_configuration_error() -> None:
    """Nothing is set up for a level that does not exist."""
    handlers = list(logging.root.handlers)

    with pytest.raises(ConfigurationError, match="loud"):
        configure_logs(level="loud")

    assert handlers == logging.root.handlers


def test_closing_gives_the_root_logger_back(stream: io.StringIO) -> None:
    """The bridge and the level are undone."""
    before = (list(logging.root.handlers), logging.root.level)
    configure_logs(level="debug", stream=stream).close(5.0)

    assert before == (logging.root.handlers, logging.root.level)
