"""Logs: structlog for our own lines, one bridge for the standard library's, both through one writer.

JSON lines in production (`timestamp` in RFC 3339 UTC, `level`, `event`, `logger`, then the fields of the
job or request around the line), readable in colour on a terminal. Authors write
`structlog.get_logger("billing").info("invoice sent", total=12)` and need not pass any ids.
"""

import logging
import sys
from collections.abc import Iterable
from contextlib import suppress
from typing import Any, Literal, TextIO, cast

import structlog
from structlog.typing import FilteringBoundLogger, Processor

from penstock.engine.errors import ConfigurationError
from penstock.telemetry.logs.bridge import Bridge
from penstock.telemetry.logs.lines import Around, Render, console_lines, json_lines
from penstock.telemetry.logs.redaction import Redaction
from penstock.telemetry.logs.schema import LogSchema, rename_for
from penstock.telemetry.logs.writer import LogWriter

LogFormat = Literal["auto", "json", "console"]


class LineLogger:
    """What structlog's bound loggers end in: every method hands one rendered line to the writer."""

    def __init__(self, writer: LogWriter, name: str = "app") -> None:
        self.name = name
        self.msg = writer.write
        self.debug = self.info = self.warning = self.error = self.critical = self.notset = self.msg
        self.log = self.warn = self.fatal = self.exception = self.failure = self.msg


class Teller:
    """Writes lines, under the name of one logger, which were said elsewhere and before."""

    def __init__(self, logs: "Logs", name: str) -> None:
        self._line = LineLogger(logs.writer, name)
        self._chain = logs.chain
        self._render = logs.render
        self.write = logs.writer.write_all
        self.hide = logs.redaction.encoded
        """Takes secrets that are known by value out of a line."""

    def hide_all(self, lines: list[bytes]) -> list[bytes]:
        """The same for some lines; they are looked through as one, and nearly always there are none."""
        together = b"\n".join(lines)
        return lines if self.hide(together) is together else [self.hide(line) for line in lines]

    @property
    def captured(self) -> bool:
        """Whether structlog's `capture_logs` listens: nothing is written then."""
        return self._chain[0] is not self._render

    def capture(self, level: str, said: dict[str, Any], around: Around) -> None:
        """Let it hear what a line says."""
        with suppress(structlog.DropEvent):
            self._chain[0](self._line, level, {**around.fields, **said})

    def render(self, level: str, said: dict[str, Any], around: Around) -> bytes:
        """The line, for `write`."""
        return self._render(self._line, level, said, around)


class _Quick:
    """What structlog's filtering loggers do between their methods and the processors, in one step.

    Mixed in before them, as structlog provides for: it saves a line half a microsecond.
    """

    _logger: Any
    _processors: Iterable[Processor]
    _context: dict[str, Any]

    def _proxy_to_logger(self, method_name: str, event: str | None = None, **said: Any) -> None:
        given: Any = {**self._context, **said, "event": event}
        try:
            for process in self._processors:
                given = process(self._logger, method_name, given)
        except structlog.DropEvent:  # as `capture_logs` raises it
            return
        self._logger.msg(given)


class Logs:
    """The process's logs as `configure_logs` set them up."""

    def __init__(self, writer: LogWriter, level: int, render: Render, redaction: Redaction) -> None:
        self.writer = writer
        self.redaction = redaction
        self.render = render
        self.chain: list[Any] = [render]  # a list of one, which structlog's own `capture_logs` replaces
        filtering = structlog.make_filtering_bound_logger(level)
        self._wrapper = type(filtering.__name__, (_Quick, filtering), {})
        self._bridge = Bridge(writer, render, level)
        structlog.configure(
            processors=self.chain,
            wrapper_class=self._wrapper,
            logger_factory=lambda *name: LineLogger(writer, *name),
            cache_logger_on_first_use=True,  # a third of the cost of a line
        )
        self._bridge.open()

    def logger(self, name: str) -> FilteringBoundLogger:
        """A logger of this configuration, whatever is configured later."""
        line = LineLogger(self.writer, name)
        log = structlog.wrap_logger(line, processors=self.chain, wrapper_class=self._wrapper)
        return cast(FilteringBoundLogger, log.bind())

    def teller(self, name: str) -> Teller:
        """What writes lines under the name of a logger that were said before."""
        return Teller(self, name)

    def close(self, timeout: float) -> bool:
        """Take the bridge down and write what is queued, for at most `timeout` seconds. Blocks."""
        self._bridge.shut()
        return self.writer.close(timeout)


def configure_logs(
    *,
    level: str = "info",
    format: LogFormat = "auto",  # noqa: A002 - the word of the settings and of the command line
    schema: LogSchema = "otel",
    service: str = "penstock",
    stream: TextIO | None = None,
    redaction: Redaction | None = None,
) -> Logs:
    """Set up the logs of this process; a second call replaces the first for loggers made after it.

    `auto` means readable if `stream` (standard error by default) is a terminal, JSON otherwise. `schema` and
    `service` concern JSON alone. Raises `ConfigurationError` for a level that Python's logging does not know.
    """
    target = sys.stderr if stream is None else stream
    threshold = logging.getLevelNamesMapping().get(level.upper())
    if threshold is None:
        raise ConfigurationError(f"log level {level!r} is unknown: expected debug, info, warning or error")
    hide = Redaction() if redaction is None else redaction
    if format == "console" or (format == "auto" and target.isatty()):
        render = console_lines(hide, colors=target.isatty())
    else:
        render = json_lines(hide, rename_for(schema, service))
    return Logs(LogWriter(target), threshold, render, hide)
