"""The bridge: loggers of the standard library (hypercorn, sqlalchemy, confluent_kafka) write the same lines.

One handler on the root logger. `extra=` stands on the line as fields do. SQLAlchemy's echo is let through
with its statements, but not with the values bound to them, which are arguments: `[hidden]` stands for each.
"""

import logging
import warnings
from typing import Any, TextIO

from penstock.telemetry.logs.lines import Render
from penstock.telemetry.logs.writer import LogWriter

_STANDARD = frozenset(logging.LogRecord("", 0, "", 0, "", None, None).__dict__) | {
    "message",
    "asctime",
    "taskName",
}
_SQLALCHEMY = "sqlalchemy.engine"
_ECHO = f"{_SQLALCHEMY}.Engine"


class Bridge(logging.Handler):
    """Stands on the root logger while the logs of this process are open."""

    def __init__(self, writer: LogWriter, render: Render, level: int) -> None:
        super().__init__()
        self._writer = writer
        self._render = render
        self._level = level
        self._silent = logging.NullHandler()
        self._before = logging.root.level
        self._showwarning = warnings.showwarning

    def open(self) -> None:
        """Take over the root logger and Python's warnings."""
        logging.root.addHandler(self)
        logging.root.setLevel(self._level)
        # Not `logging.captureWarnings`: what it remembers outlives a `catch_warnings` block around it.
        warnings.showwarning = self._warned
        # Without a handler of its own SQLAlchemy's `echo=True` prints to standard output, values and all.
        logging.getLogger(_ECHO).addHandler(self._silent)

    def shut(self) -> None:
        """Give both back."""
        logging.getLogger(_ECHO).removeHandler(self._silent)
        if warnings.showwarning == self._warned:
            warnings.showwarning = self._showwarning
        logging.root.removeHandler(self)
        logging.root.setLevel(self._before)

    def _warned(
        self,
        message: Warning | str,
        category: type[Warning],
        filename: str,
        lineno: int,
        file: TextIO | None = None,
        line: str | None = None,
    ) -> None:
        """Stands in for `warnings.showwarning`."""
        if file is not None:
            self._showwarning(message, category, filename, lineno, file, line)
            return
        source = {"source": f"{filename}:{lineno}"}
        logging.getLogger("py.warnings").warning("%s: %s", category.__name__, message, extra=source)

    def emit(self, record: logging.LogRecord) -> None:
        """Write one record; called by the standard library, in any thread."""
        try:
            self._writer.write(self._render(record, record.levelname.lower(), _fields(record)))
        except Exception:  # as every handler of the standard library
            self.handleError(record)


def _fields(record: logging.LogRecord) -> dict[str, Any]:
    fields = {key: value for key, value in record.__dict__.items() if key not in _STANDARD}
    fields["event"] = _message(record)
    if record.exc_info:
        fields["exc_info"] = record.exc_info
    if record.stack_info:
        fields["stack"] = record.stack_info
    return fields


def _message(record: logging.LogRecord) -> str:
    """The message with its arguments filled in; without them where they do not fit: it is not lost."""
    message, arguments = str(record.msg), record.args
    if not arguments:
        return message.rstrip("\n")
    if record.name.startswith(_SQLALCHEMY):
        arguments = _hidden(arguments)
    try:
        return (message % arguments).rstrip("\n")
    except Exception:  # a wrong format, or somebody's `__str__` raises
        return message


class _Hidden:
    def __repr__(self) -> str:
        return "[hidden]"


def _hidden(arguments: Any) -> Any:
    """SQLAlchemy logs `"[%s] %r", statistics, parameters` and `"Row %r", row`: its words pass, no values."""
    if not isinstance(arguments, tuple):  # one mapping, which logging unpacks
        return _Hidden()
    return tuple(given if type(given) is str else _Hidden() for given in arguments)
