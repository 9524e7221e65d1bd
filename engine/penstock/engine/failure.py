"""What is kept of an exception: type, message and a bounded traceback, never local variables."""

import traceback

from penstock.engine.job import JobError
from penstock.engine.limits import MAX_ERROR_MESSAGE, MAX_TRACEBACK


def describe_failure(error: BaseException, *, with_traceback: bool = True) -> JobError:
    """Describe why an attempt failed; an exception group of one is told as the one it holds."""
    while isinstance(error, BaseExceptionGroup) and len(error.exceptions) == 1:
        error = error.exceptions[0]
    kind = type(error)
    name = kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"
    text = "".join(traceback.format_exception(error)) if with_traceback else ""
    return JobError(name, _storable(_message(error)), _storable(text)[-MAX_TRACEBACK:])


def _storable(text: str) -> str:
    """Lone surrogates, as in file names, are no UTF-8."""
    return text.encode(errors="backslashreplace").decode()


def _message(error: BaseException) -> str:
    try:
        return str(error)[:MAX_ERROR_MESSAGE]
    except (Exception, SystemExit, GeneratorExit) as broken:  # a user's __str__ may raise anything
        return f"<its message cannot be read: {type(broken).__name__}>"
