"""What is kept of a failure: type, message, bounded traceback, where it happened; never local variables."""

import traceback
from collections import deque
from types import TracebackType

from penstock.engine.attempt import Attempt
from penstock.engine.fingerprint import digest, fingerprint, type_name, unwrapped
from penstock.engine.job import JobError
from penstock.engine.limits import MAX_ERROR_MESSAGE, MAX_TRACEBACK
from penstock.engine.outcome import Retry
from penstock.engine.seams import Redact, unchanged

FRAMES = 50
"""Innermost frames of one exception that are written down: for about so many MAX_TRACEBACK leaves room.

Each costs some 30 µs, and a recursion has a thousand.
"""
ROOM = 4
"""Times what is kept that a redactor gets to see of a text without end."""


def describe_failure(
    error: BaseException, attempt: Attempt, *, home: str = "", redact: Redact = unchanged
) -> JobError:
    """Describe why an attempt failed; an exception group of one is told as the one it holds.

    `home` is the top-level package of the job (`fingerprint.home_of`), `redact` takes secrets out of the
    message and the traceback. Raises nothing.
    """
    error = unwrapped(error)
    innermost = _innermost(error.__traceback__)  # the limit alone would have all of them looked at
    text = "".join(traceback.format_exception(type(error), error, innermost, limit=-FRAMES))
    return _job_error(error, attempt, redact, text, fingerprint(attempt.job, error, home))


def describe_wish(wish: Retry, attempt: Attempt, *, redact: Redact = unchanged) -> JobError:
    """Describe a retry that the handler asked for: no failure, so its reason alone, and no fingerprint."""
    return _job_error(wish, attempt, redact, "", "")


def describe_trouble(kind: str, message: str, *, worker: str, place: str) -> JobError:
    """Describe why a job died without an attempt of its own.

    `place` is the job or the queue, whichever is known; with `kind` it makes the fingerprint.
    """
    return JobError(kind, message, worker=worker, fingerprint=digest(place, kind))


def _job_error(error: BaseException, attempt: Attempt, redact: Redact, text: str, equal: str) -> JobError:
    return JobError(
        type_name(error),
        _kept(_message(error), MAX_ERROR_MESSAGE, redact),
        _kept(text, MAX_TRACEBACK, redact, end=True),
        attempt.number,
        attempt.worker,
        attempt.trace.traceparent if attempt.trace is not None else "",
        equal,
    )


def _innermost(trace: TracebackType | None) -> TracebackType | None:
    last = deque[TracebackType](maxlen=FRAMES)
    while trace is not None:
        last.append(trace)
        trace = trace.tb_next
    return last[0] if last else None


def _kept(text: str, most: int, redact: Redact, *, end: bool = False) -> str:
    """The first (or last) `most` characters of what redaction leaves of `text`.

    It comes before the cut, which might leave half a secret that nobody recognises; and where the text was
    too long to be redacted as a whole, what stands next to that cut is not kept either.
    """
    room = ROOM * most
    seen = _storable(text[-room:] if end else text[:room])
    try:
        clean = redact(seen)
    except Exception as broken:  # whatever it raises, the job has its ending; and no secret gets out
        return f"<not kept: its redaction raised {type(broken).__name__}>"
    if len(text) > room:
        clean = clean[most:] if end else clean[:-most]
    return clean[-most:] if end else clean[:most]


def _storable(text: str) -> str:
    """Lone surrogates, as in file names, are no UTF-8."""
    return text.encode(errors="backslashreplace").decode()


def _message(error: BaseException) -> str:
    try:
        return str(error)
    except (Exception, SystemExit, GeneratorExit) as broken:  # a user's __str__ may raise anything
        return f"<its message cannot be read: {type(broken).__name__}>"
