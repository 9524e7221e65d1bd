"""Each statement as an `Operation`, by SQLAlchemy's own events.

The attributes are those of OpenTelemetry's conventions for database client spans (stable since 1.33). The
text of a statement has placeholders only, because all values are bound; what a driver says of an error may
hold values and is not passed on, only its code.

Statements run in threads. `trio.to_thread.run_sync` copies the context of whoever called, so the span of a
statement hangs below the caller's.
"""

import re
from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import lru_cache
from typing import Any, NamedTuple

import trio
from sqlalchemy import Connection, Engine, event
from sqlalchemy.engine import ExceptionContext

from penstock.engine.events import ObserverFailed
from penstock.engine.metric import Gauge
from penstock.engine.operation import Headers, Operation, Value
from penstock.engine.seams import Seams
from penstock.engine.sql.errors import code_of
from penstock.engine.sql.settings import namespace

MAX_TEXT = 2_000
"""Characters of a statement: those that list ids are long and say nothing more."""

_SCOPE = "penstock_scope"
_TABLE = re.compile(r"\b(?:INTO|FROM|UPDATE|TABLE|EXISTS)\s+\"?([a-z_]\w*)", re.IGNORECASE)


class _Statement(NamedTuple):
    verb: str
    table: str
    text: str


def instrument(engine: Engine, seams: Seams) -> None:
    """Report the statements that `engine` executes from now on."""
    _Statements(engine, seams)


class _Statements:
    def __init__(self, engine: Engine, seams: Seams) -> None:
        self._seams = seams
        self._common: dict[str, Value] = {
            "db.system.name": engine.dialect.name,
            "db.namespace": namespace(engine.url),
        }
        event.listen(engine, "before_cursor_execute", self._begin)
        event.listen(engine, "after_cursor_execute", self._end)
        event.listen(engine, "handle_error", self._fail)

    def _begin(
        self, _connection: Connection, _cursor: Any, text: str, parameters: Any, context: Any, many: bool
    ) -> None:
        operation = self._operation(text, len(parameters) if many else 1)
        try:
            scope = self._seams.around_operation(operation)
            scope.__enter__()
        except Exception as error:  # whatever telemetry raises may not stop a statement
            self._report(error)
        else:
            setattr(context, _SCOPE, (scope, operation))

    def _operation(self, text: str, batch: int) -> Operation:
        statement = _read(text)
        attributes = self._common | {"db.operation.name": statement.verb, "db.query.text": statement.text}
        if statement.table:
            attributes["db.collection.name"] = statement.table
        if batch > 1:
            attributes["db.operation.batch.size"] = batch
        name = f"{statement.verb} {statement.table}".rstrip()
        return Operation(name=name, kind="client", attributes=attributes)

    def _end(
        self, _connection: Connection, _cursor: Any, _text: str, _values: Any, context: Any, _many: bool
    ) -> None:
        self._leave(context, None)

    def _fail(self, failure: ExceptionContext) -> None:
        self._leave(failure.execution_context, failure.original_exception)

    def _leave(self, context: Any, error: BaseException | None) -> None:
        found: tuple[AbstractContextManager[Headers], Operation] | None = getattr(context, _SCOPE, None)
        if found is None:
            return
        delattr(context, _SCOPE)
        scope, operation = found
        if error is not None:
            operation.error_type = code_of(error)
            operation.attributes["db.response.status_code"] = code_of(error)
        try:
            scope.__exit__(None, None, None)  # without the error, whose text may hold values
        except Exception as raised:  # as above
            self._report(raised)

    def _report(self, error: Exception) -> None:
        """Observers live in the loop's thread; statements run in those that Trio started."""
        trio.from_thread.run_sync(self._seams.observers.emit, ObserverFailed("around_operation", error))


@lru_cache(maxsize=256)
def _read(text: str) -> _Statement:
    words = text.split(None, 1)
    table = _TABLE.search(text)
    return _Statement(words[0].upper() if words else "", table[1] if table else "", text[:MAX_TEXT])


def count_connections(engine: Engine, gauge: Gauge) -> None:
    """Keep a part's gauge of connections from now on."""

    def counting(state: str, change: int) -> Callable[..., None]:
        def count(*_: object) -> None:
            gauge.inc(change, state=state)

        return count

    event.listen(engine, "connect", counting("size", 1))
    event.listen(engine, "close", counting("size", -1))
    event.listen(engine, "checkout", counting("in_use", 1))
    event.listen(engine, "checkin", counting("in_use", -1))
