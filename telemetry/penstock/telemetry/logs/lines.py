"""From what a line says to its bytes: the fields around it, the traceback, secrets out, then JSON or colours.

One function in the place of structlog's chain of processors, because there is a line for every job: it takes
a third of what the chain took. What it adds, and in which order, is told in `docs/logs.md`.
"""

import time
from collections.abc import Mapping
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any, Protocol

import msgspec
import structlog

from penstock.telemetry.logs.redaction import Redaction
from penstock.telemetry.logs.schema import Rename
from penstock.telemetry.logs.values import arguments, encode, explain, printable, shortened
from penstock.telemetry.scope import current_fields

MAX_LINE = 32_768
"""Bytes. A longer line is written again with its values cut: pipelines refuse or split long lines, and what
waits for a stalled stream must stay bounded."""

_SHORT = 8  # hex digits of an id on a terminal: enough to tell them apart
_COLUMNS = frozenset({"timestamp", "level", "event", "logger", "exception", "error", "error_type"})

# What authors bind with structlog's own context variables. The table is no public part of structlog, but
# saves walking through every variable of the context for each line; where it is gone that is done.
_bound: dict[str, ContextVar[Any]] | None = getattr(structlog.contextvars, "_CONTEXT_VARS", None)
_PREFIX = len(structlog.contextvars.STRUCTLOG_KEY_PREFIX)


class Named(Protocol):
    """What a line comes from: a `LineLogger`, or a record of the standard library."""

    name: str


class Around(msgspec.Struct, gc=False):
    """Where and when a line was said that is written later."""

    fields: Mapping[str, object]
    bound: Mapping[str, object] | None
    when: int  # nanoseconds since the epoch


class Render(Protocol):
    """A structlog processor that is the whole chain: logger, level and what the line says give its bytes."""

    def __call__(
        self, logger: Named, level: str, fields: dict[str, Any], around: Around | None = None, /
    ) -> bytes:
        """Render a line; `around` says what surrounded it and when, if that is not here and now."""
        ...


def json_lines(redaction: Redaction, rename: Rename | None) -> Render:
    """Lines of JSON, in the names that `rename` gives. No value raises: an odd one costs its own text."""

    def written(line: dict[str, Any]) -> bytes:
        return encode(line if rename is None else rename(line))

    def render(logger: Named, level: str, fields: dict[str, Any], around: Around | None = None, /) -> bytes:
        line = _gathered(logger, level, fields, redaction, around)
        try:
            data = encode(line) if rename is None else encode(rename(line))
        except Exception:
            line = printable(line)
            data = written(line)
        if len(data) > MAX_LINE:
            data = written(shortened(line))
        return redaction.encoded(data)

    return render


def console_lines(redaction: Redaction, *, colors: bool) -> Render:
    """Lines for people: the time of day, short ids, what the line says itself before where it says it."""
    paint = structlog.dev.ConsoleRenderer(colors=colors, sort_keys=False, pad_event_to=36)

    def render(logger: Named, level: str, fields: dict[str, Any], around: Around | None = None, /) -> bytes:
        line = _gathered(logger, level, fields, redaction, around)
        try:
            text = paint(None, level, _for_people(line, fields))
        except Exception:
            text = paint(None, level, _for_people(printable(line), fields))
        return redaction.text(text).encode("utf-8", "backslashreplace")

    return render


def _gathered(
    logger: Named, level: str, fields: dict[str, Any], redaction: Redaction, around: Around | None
) -> dict[str, Any]:
    """What the line says wins over what is bound around it, and that over the job's or request's fields."""
    if around is None:
        around = Around(current_fields(), bound_fields(), time.time_ns())
    said = fields if around.bound is None else {**around.bound, **fields}
    if "exc_info" in said:
        explain(said, redaction)
    line: dict[str, Any] = {
        "timestamp": None,
        "level": None,
        "event": None,
        "logger": None,
        **around.fields,
        **said,
    }
    line["timestamp"] = datetime.fromtimestamp(
        around.when // 1000 / 1e6, UTC
    )  # cut, not rounded: as others do
    line["level"] = level
    line["logger"] = logger.name
    if "args" in around.fields and "args" not in said:
        line["args"] = arguments(line["args"], redaction)
    # The values around are plain: what remains to be looked at is what the line says.
    return line if redaction.spotless(line, said) else redaction.named(line)


def bound_fields() -> Mapping[str, Any] | None:
    """What authors have bound to the lines of this context; None where nobody has."""
    return None if _bound is not None and not _bound else _bound_fields()


def _bound_fields() -> Mapping[str, Any]:
    if _bound is None:
        return structlog.contextvars.get_contextvars()
    fields: dict[str, Any] = {}
    for key, variable in tuple(_bound.items()):
        value = variable.get()
        if value is not Ellipsis:  # structlog's mark for what is not bound any more
            fields[key[_PREFIX:]] = value
    return fields


def _for_people(line: dict[str, Any], said: Mapping[str, Any]) -> dict[str, Any]:
    first = {key: value for key, value in line.items() if key in said or key in _COLUMNS}
    around = {key: value for key, value in line.items() if key not in first}
    timestamp = first["timestamp"]
    if isinstance(timestamp, datetime):
        first["timestamp"] = timestamp.astimezone().strftime("%H:%M:%S.%f")[:-3]
    if "exception" in first:
        first["exception"] = str(first["exception"]).rstrip("\n")
    around.pop("trace_flags", None)
    for key in ("trace_id", "span_id"):
        if key in around:
            around[key] = str(around.pop(key))[:_SHORT]  # last: what people look for is the job
    if str(around.get("job", "")).startswith(f"{around.get('module')}."):
        del around["module"]  # the name of the job says it
    return {**first, **around}
