"""Values on their way into a line: what is bounded, what is made printable, and what an exception says."""

import sys
import traceback
from collections.abc import Callable, Mapping
from typing import Any, cast

import msgspec

from penstock.engine.fingerprint import type_name, unwrapped
from penstock.engine.limits import MAX_ERROR_MESSAGE, MAX_TRACEBACK
from penstock.telemetry.logs.redaction import Redaction

MAX_FRAMES = 20
MAX_ARGUMENT = 200
"""Characters of each argument that stands on a line because its job's author marked it `Logged`."""
_MAX_VALUE = 500  # characters of each value of a line that was too long
_MAX_FIELDS = 40

encode = msgspec.json.Encoder(enc_hook=repr).encode
"""To JSON; values that JSON does not know as their `repr`. Raises for what has none, or no UTF-8."""


def printable(line: Mapping[Any, Any]) -> dict[str, Any]:
    """Every key and value as text that can be encoded, for lines that `encode` refuses."""
    return {plain(key): plain(value) for key, value in line.items()}


def plain(value: Any, words: Callable[[Any], str] = repr) -> str:
    """`value` as text; never raises."""
    try:
        text = value if isinstance(value, str) else words(value)
        return text.encode("utf-8", "backslashreplace").decode()
    except Exception:  # somebody's `__repr__` raises
        return f"<{type(value).__qualname__}>"


def shortened(line: Mapping[str, Any]) -> dict[str, Any]:
    """A line that was too long: its first fields, their values cut, and `shortened` to say so."""
    first = list(line.items())[:_MAX_FIELDS]
    short: dict[str, Any] = {plain(key)[:_MAX_VALUE]: plain(value)[:_MAX_VALUE] for key, value in first}
    return {**short, "timestamp": line["timestamp"], "shortened": True}


def arguments(given: Mapping[str, object], redaction: Redaction) -> dict[str, object]:
    """The `Logged` arguments of a job: without secrets first, because a cut might leave half of one."""
    return {name: _bounded(value) for name, value in redaction.mapping(given).items()}


def _bounded(value: object) -> object:
    text = value if isinstance(value, str) else encode(value).decode()
    if len(text) <= MAX_ARGUMENT:
        return value
    return text[:MAX_ARGUMENT] + "…"


def explain(line: dict[str, Any], redaction: Redaction) -> None:
    """Put `exception`, `error_type` and `error` in the place of `exc_info`, whichever form that has."""
    given = line.pop("exc_info")
    error: object = given
    if isinstance(given, tuple):
        error = cast(tuple[object, ...], given)[1]
    elif not isinstance(given, BaseException):
        error = sys.exc_info()[1] if given else None
    if isinstance(error, BaseException):
        cause = unwrapped(error)
        line.setdefault("error_type", type_name(cause))
        line.setdefault("error", redaction.text(plain(cause, str))[:MAX_ERROR_MESSAGE])
        line["exception"] = format_traceback(error, redaction)


def format_traceback(error: BaseException, redaction: Redaction) -> str:
    """The innermost frames as text: bounded, without secrets, and never with local variables."""
    text = "".join(traceback.format_exception(error, limit=-MAX_FRAMES))
    return redaction.text(text)[-MAX_TRACEBACK:]
