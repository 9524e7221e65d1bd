"""Logs: structlog for our own lines, one bridge for the standard library's, both through one writer.

JSON lines in production (`timestamp` in RFC 3339 UTC, `level`, `event`, `logger`, then the fields of the
job or request around the line), readable in colour on a terminal. Authors write
`structlog.get_logger("billing").info("invoice sent", total=12)` and need not pass any ids.
"""

import logging
import sys
import traceback
from typing import Any, Literal, TextIO, cast

import msgspec
import structlog
from structlog.typing import EventDict, ExcInfo, FilteringBoundLogger, Processor, WrappedLogger

from penstock.engine.errors import ConfigurationError
from penstock.engine.limits import MAX_TRACEBACK
from penstock.telemetry.log_writer import LogWriter
from penstock.telemetry.scope import current_scope

LogFormat = Literal["auto", "json", "console"]

_FIRST = ("timestamp", "level", "event", "logger")
_MAX_FRAMES = 20
_encode = msgspec.json.Encoder(enc_hook=repr).encode


class LineLogger:
    """What structlog's bound loggers end in: every method hands one rendered line to the writer."""

    def __init__(self, writer: LogWriter, name: str = "app") -> None:
        self.name = name
        self.msg = writer.write
        self.debug = self.info = self.warning = self.error = self.critical = self.msg
        self.log = self.warn = self.fatal = self.exception = self.failure = self.msg


class Logs:
    """The process's logs as `configure_logs` set them up."""

    def __init__(self, writer: LogWriter, level: int, render: list[Processor]) -> None:
        self.writer = writer
        self._render = render
        self._wrapper = structlog.make_filtering_bound_logger(level)
        self._bridge = _Bridge(writer, render)
        self._root_level = logging.root.level
        structlog.configure(
            processors=render,
            wrapper_class=self._wrapper,
            logger_factory=lambda *name: LineLogger(writer, *name),
            cache_logger_on_first_use=True,  # a third of the cost of a line
        )
        logging.root.addHandler(self._bridge)
        logging.root.setLevel(level)

    def logger(self, name: str) -> FilteringBoundLogger:
        """A logger of this configuration, whatever is configured later."""
        line = LineLogger(self.writer, name)
        log = structlog.wrap_logger(line, processors=self._render, wrapper_class=self._wrapper)
        return cast(FilteringBoundLogger, log.bind())

    def close(self, timeout: float) -> bool:
        """Take the bridge down and write what is queued, for at most `timeout` seconds. Blocks."""
        logging.root.removeHandler(self._bridge)
        logging.root.setLevel(self._root_level)
        return self.writer.close(timeout)


def configure_logs(
    *,
    level: str = "info",
    format: LogFormat = "auto",  # noqa: A002 - the word of the settings and of the command line
    stream: TextIO | None = None,
) -> Logs:
    """Set up the logs of this process; a second call replaces the first for loggers made after it.

    `auto` means readable if `stream` (standard error by default) is a terminal, JSON otherwise.
    Raises `ConfigurationError` for a level that Python's logging does not know.
    """
    target = sys.stderr if stream is None else stream
    threshold = logging.getLevelNamesMapping().get(level.upper())
    if threshold is None:
        raise ConfigurationError(f"log level {level!r} is unknown: expected debug, info, warning or error")
    readable = format == "console" or (format == "auto" and target.isatty())
    render: list[Processor] = [
        structlog.contextvars.merge_contextvars,  # what authors bind for themselves
        add_scope,
        add_logger_name,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.ExceptionRenderer(format_traceback),
        _console(target) if readable else render_json,
    ]
    return Logs(LogWriter(target), threshold, render)


def add_scope(_logger: WrappedLogger, _method: str, fields: EventDict) -> EventDict:
    """Add the fields of the running job or request; what the line says itself wins."""
    return {**current_scope().fields, **fields}


def add_logger_name(logger: WrappedLogger, _method: str, fields: EventDict) -> EventDict:
    """Add `logger`: the name given to `get_logger`, or the standard library logger's."""
    record = fields.get("_record")
    fields["logger"] = logger.name if record is None else record.name
    return fields


def format_traceback(exc_info: ExcInfo) -> str:
    """The innermost frames as text: bounded, and never with local variables, which hold secrets."""
    return "".join(traceback.format_exception(*exc_info, limit=-_MAX_FRAMES))[-MAX_TRACEBACK:]


def render_json(_logger: WrappedLogger, _method: str, fields: EventDict) -> str:
    """One line of JSON; values that JSON does not know are written as their `repr`."""
    ordered = {key: fields.pop(key) for key in _FIRST if key in fields}
    ordered.update(fields)
    try:
        return _encode(ordered).decode()
    except Exception:  # an unprintable value may cost its own text, but neither the line nor the job
        return _encode({_plain(key): _plain(value) for key, value in ordered.items()}).decode()


def _plain(value: Any) -> str:
    try:
        text = value if isinstance(value, str) else repr(value)
        return text.encode("utf-8", "backslashreplace").decode()
    except Exception:  # somebody's `__repr__` raises
        return f"<{type(value).__qualname__}>"


def _console(stream: TextIO) -> Processor:
    return structlog.dev.ConsoleRenderer(
        colors=stream.isatty(), exception_formatter=structlog.dev.plain_traceback
    )


class _Bridge(logging.Handler):
    """Hypercorn, OpenTelemetry and others log through the standard library: the same lines, one writer."""

    def __init__(self, writer: LogWriter, render: list[Processor]) -> None:
        super().__init__()
        self._writer = writer
        strip = structlog.stdlib.ProcessorFormatter.remove_processors_meta
        self.setFormatter(
            structlog.stdlib.ProcessorFormatter(foreign_pre_chain=render[:-1], processors=[strip, render[-1]])
        )

    def emit(self, record: logging.LogRecord) -> None:
        try:
            self._writer.write(self.format(record))
        except Exception:  # as every handler of the standard library
            self.handleError(record)
