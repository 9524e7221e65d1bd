"""The line of a job that went well, put together once for all jobs of its kind.

There is one for nearly every job, and two lines of one kind differ in six values. So the first is rendered as
every line is, once as it is and once with marks in the places of those values. If the one comes out of the
other, the next are that text with their values in it. If not, because a schema writes seconds in another way
or a name is hidden, every line is rendered by itself.
"""

import time
from collections.abc import Callable, Hashable, Mapping
from typing import Any

from penstock.telemetry.ledger import Told
from penstock.telemetry.logs.lines import Around, bound_fields
from penstock.telemetry.logs.values import encode
from penstock.telemetry.scope import attempt_fields
from penstock.telemetry.traces.otlp import SpanLink

SAID: dict[str, object] = {"event": "job finished", "outcome": "succeeded"}
"""What the line says beside `seconds` and `waited`."""
MOST = 1_024
"""Kinds kept: tenants and users can be many, and what is forgotten is rendered again."""

_TRACE, _SPAN, _JOB = "@trace@".ljust(32, "@"), "@span@".ljust(16, "@"), "@job@"
_SECONDS, _WAITED = 1234.567891, 9876.543212
_WHEN, _WHEN_TEXT = 1_234_567_890_654_321_000, b"2009-02-13T23:31:30.654321Z"
_MARKS = (_WHEN_TEXT, _TRACE.encode(), _SPAN.encode(), encode(_JOB), encode(_SECONDS), encode(_WAITED))

Values = tuple[bytes, ...]
Render = Callable[[dict[str, Any], Around], bytes]


class PlainEndings:
    """Lines of attempts that succeeded; one thread's."""

    def __init__(self, render: Render, hide: Callable[[bytes], bytes]) -> None:
        """`render` gives a line by what it says and what is around it; `hide` takes known secrets out."""
        self._render = render
        self._hide = hide
        self._usual = bound_fields()  # of the whole process: which of several workers it is
        self._kinds: dict[Hashable, bytes | None] = {}
        self._second, self._second_text = 0, b""

    def line(self, told: Told) -> bytes | None:
        """The line, with what secrets may be in its values; None where it has to be rendered by itself."""
        attempt, ids = told.attempt, told.scope.ids
        if ids is None or told.bound != self._usual or attempt.logged is not None:
            return None
        second, rest = divmod(told.ended, 1_000_000_000)
        if second != self._second:
            self._second, self._second_text = second, time.strftime("%FT%T", time.gmtime(second)).encode()
        values = (
            b"%b.%06dZ" % (self._second_text, rest // 1000),
            ids.trace_id.encode(),
            ids.span_id.encode(),
            encode(attempt.id),
            encode(int(told.seconds * 1e6) / 1e6),
            encode(int(attempt.waited * 1e6) / 1e6),
        )
        kind = (attempt.job, attempt.queue, attempt.number, attempt.tenant, attempt.user, ids.flags)
        text = self._kinds[kind] if kind in self._kinds else self._look_at(kind, told, ids, values)
        return None if text is None else text % values

    def _look_at(self, kind: Hashable, told: Told, ids: SpanLink, values: Values) -> bytes | None:
        """Render the first of a kind, and keep what others can be made of."""
        marked = attempt_fields(SpanLink(_TRACE, _SPAN, ids.flags), told.attempt) | {"job_id": _JOB}
        line = self._rendered(marked, _SECONDS, _WAITED, _WHEN)
        text: bytes | None = line.replace(b"%", b"%%")
        for mark in _MARKS:
            text = text.replace(mark, b"%b") if text is not None and text.count(mark) == 1 else None
        seconds, waited = (int(number * 1e6) / 1e6 for number in (told.seconds, told.attempt.waited))
        usual = self._rendered(told.scope.fields, seconds, waited, told.ended)
        if text is None or self._hide(text % values) != usual:
            text = None
        if len(self._kinds) >= MOST:
            self._kinds.clear()
        self._kinds[kind] = text
        return text

    def _rendered(self, fields: Mapping[str, object], seconds: float, waited: float, when: int) -> bytes:
        return self._render({**SAID, "seconds": seconds, "waited": waited}, Around(fields, self._usual, when))
