"""Loggers of other libraries: the same lines, and no values that only they would have told."""

import io
import json
import logging
import warnings
from collections.abc import Iterator
from typing import Any

import pytest

from penstock.telemetry.logs.setup import Logs, configure_logs


@pytest.fixture
def stream() -> io.StringIO:
    """Where the lines go."""
    return io.StringIO()


@pytest.fixture
def logs(stream: io.StringIO) -> Iterator[Logs]:
    """Logs as JSON at the level debug."""
    logs = configure_logs(level="debug", format="json", stream=stream)
    yield logs
    logs.close(5.0)


def written(logs: Logs, stream: io.StringIO) -> list[dict[str, Any]]:
    assert logs.close(5.0)
    return [json.loads(line) for line in stream.getvalue().splitlines()]


@pytest.mark.parametrize(
    "name", ["hypercorn.error", "sqlalchemy.pool", "confluent_kafka", "opentelemetry.sdk.trace"]
)
def test_every_library_comes_over_the_one_bridge(logs: Logs, stream: io.StringIO, name: str) -> None:
    """Name, level, message and traceback, once each."""
    try:
        raise OSError("gone")
    except OSError:
        logging.getLogger(name).exception("lost %s of %d", "one", 3)

    (line,) = written(logs, stream)
    assert (line["logger"], line["level"], line["event"]) == (name, "error", "lost one of 3")
    assert (line["error_type"], line["error"]) == ("OSError", "gone")
    assert line["exception"].endswith("OSError: gone\n")


def test_librdkafka_logs_by_number(logs: Logs, stream: io.StringIO) -> None:
    """confluent_kafka's producers call `log(level, format, …)` of the logger that they are given."""
    logging.getLogger("confluent_kafka").log(
        logging.WARNING, "%s [%s] %s", "FAIL", "rdkafka#producer-1", "broker:9092 refused"
    )

    assert written(logs, stream)[0]["event"] == "FAIL [rdkafka#producer-1] broker:9092 refused"


def test_extra_fields_stand_on_the_line(logs: Logs, stream: io.StringIO) -> None:
    """`extra=` is how the standard library's school says fields; names that are secret are hidden."""
    logging.getLogger("mine").info("sent", extra={"invoice": 7, "token": "hunter2"})

    (line,) = written(logs, stream)
    assert (line["invoice"], line["token"]) == (7, "[redacted]")
    assert set(line) == {"timestamp", "level", "event", "logger", "invoice", "token"}


class Parameters:
    """What SQLAlchemy logs the values bound to a statement as."""

    def __repr__(self) -> str:
        return "('ann@example.org', 'hunter2')"


def test_sqlalchemy_echo_tells_statements_and_no_values(
    logs: Logs, stream: io.StringIO, caplog: pytest.LogCaptureFixture
) -> None:
    """In the manner of its engine: statement, then statistics with parameters, then rows."""
    engine = logging.getLogger("sqlalchemy.engine.Engine")
    caplog.set_level(
        logging.DEBUG, engine.name
    )  # as `echo` does: the library, once imported, says warnings only
    engine.info("SELECT mail FROM user WHERE name = ?")
    engine.info("[%s] %r", "generated in 0.00017s", Parameters())
    engine.info("[%s] %r", "cached since 1.2s ago", ("ann@example.org", "hunter2"))
    engine.info("[%s] %r", "cached since 1.2s ago", {"name": "hunter2"})
    engine.info("%r", {"name": "hunter2"})  # logging takes a lone mapping for the arguments by name
    engine.debug("Row %r", ("ann@example.org",))

    lines = written(logs, stream)
    assert [line["event"] for line in lines] == [
        "SELECT mail FROM user WHERE name = ?",
        "[generated in 0.00017s] [hidden]",
        "[cached since 1.2s ago] [hidden]",
        "[cached since 1.2s ago] [hidden]",
        "[hidden]",
        "Row [hidden]",
    ]
    assert "ann" not in stream.getvalue()
    assert "hunter2" not in stream.getvalue()


def test_sqlalchemy_finds_a_handler_and_makes_none(stream: io.StringIO) -> None:
    """With `echo=True` it looks for one on its own logger, and else prints everything to standard output."""
    engine = logging.getLogger("sqlalchemy.engine.Engine")
    before = list(engine.handlers)
    logs = configure_logs(format="json", stream=stream)
    while_open = list(engine.handlers)
    logs.close(5.0)

    assert len(while_open) == len(before) + 1
    assert engine.handlers == before


def test_a_message_that_does_not_fit_its_arguments_is_not_lost(logs: Logs, stream: io.StringIO) -> None:
    """And its arguments are not printed past the writer, as the standard library does."""
    record = logging.LogRecord("odd", logging.INFO, __file__, 1, "%d apples", ("hunter2",), None)
    logs._bridge.handle(record)  # not by the logger: pytest's own handler raises

    (line,) = written(logs, stream)
    assert line["event"] == "%d apples"


def test_warnings_are_lines(stream: io.StringIO) -> None:
    """Python's own warnings, as long as the logs are open."""
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        before = warnings.showwarning
        logs = configure_logs(format="json", stream=stream)
        warnings.warn("old ways", DeprecationWarning, stacklevel=1)
        lines = written(logs, stream)
        assert warnings.showwarning is before

    (line,) = lines
    assert (line["logger"], line["level"]) == ("py.warnings", "warning")
    assert line["event"] == "DeprecationWarning: old ways"
    assert line["source"].startswith(__file__)
