"""One statement for many rows, compiled once."""

from operator import itemgetter
from typing import Any

from sqlalchemy import Connection, Dialect
from sqlalchemy.dialects import postgresql, sqlite

from penstock.engine.job_history.rows import Rows


class Bulk:
    """An insertion whose rows go to the driver as they are.

    SQLAlchemy would look at each value of each row: 20 µs of the interpreter a job, and jobs need it.
    All our values are of types that both drivers take.
    """

    def __init__(self, insert: sqlite.Insert | postgresql.Insert, dialect: Dialect) -> None:
        compiled: Any = insert.compile(dialect=dialect)
        self.text = str(compiled)
        self._positions = itemgetter(*compiled.positiontup) if compiled.positional else None

    def execute(self, connection: Connection, rows: Rows) -> None:
        """Insert `rows`, each with all columns; none is nothing to do."""
        if rows:
            values: Any = rows if self._positions is None else list(map(self._positions, rows))
            connection.exec_driver_sql(self.text, values)
