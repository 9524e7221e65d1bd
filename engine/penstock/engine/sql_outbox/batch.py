"""What became of the rows of one batch, told once it is committed."""

from collections import Counter
from collections.abc import Iterable
from typing import Any

from sqlalchemy import Row

from penstock.engine.errors import PenstockError, StoreRefused
from penstock.engine.sql_outbox.database import Finish
from penstock.engine.sql_outbox.metrics import MOVED, SET_ASIDE


class Batch:
    """Each row is given to one of the methods, once."""

    def __init__(self) -> None:
        self.troubles: dict[str, PenstockError] = {}
        """Why a queue has not taken all of its rows."""
        self.served: set[str] = set()
        """Queues that have taken some."""
        self.examples: list[str] = []
        """The rows that were set aside: id and reason."""
        self._done: list[int] = []
        self._back: list[int] = []
        self._unsent: list[int] = []
        self._aside: dict[int, str] = {}
        self._moved: Counter[tuple[str, str]] = Counter()
        self._reasons: Counter[str] = Counter()

    def moved(self, row: Row[Any], result: str) -> None:
        """The broker has it."""
        self._done.append(row.seq)
        self._moved[row.queue, result] += 1
        self.served.add(row.queue)

    def failed(self, row: Row[Any], queue: str, error: PenstockError) -> None:
        """The broker has not taken it, or is not known to have."""
        self.troubles[queue] = error
        if isinstance(error, StoreRefused):  # then nothing was stored
            self.give_back([row])
        else:
            self._back.append(row.seq)

    def give_back(self, rows: Iterable[Row[Any]]) -> None:
        """They were not sent this time; whether they were earlier, is as uncertain as it was."""
        for row in rows:
            (self._unsent if row.sent_ms is None else self._back).append(row.seq)

    def set_aside(self, row: Row[Any], kind: str, reason: str) -> None:
        """It cannot be moved; `kind` is one of few words."""
        self._aside[row.seq] = f"{kind}: {reason}"
        self._reasons[kind] += 1
        self.examples.append(f"{row.id}: {kind}: {reason}")

    def finish(self) -> Finish:
        """What to write."""
        return Finish(self._done, self._back, self._unsent, self._aside)

    def count(self) -> None:
        """Count it in the metrics."""
        for (queue, result), count in self._moved.items():
            MOVED.inc(count, queue=queue, result=result)
        for kind, count in self._reasons.items():
            SET_ASIDE.inc(count, reason=kind)
