"""How many endings a relay asks for at once: the fewer the larger they are.

A sink that commits is quicker the more it is given: the history in SQLite takes twice as many a second by the
thousand as by 200 (`python -m benchmarks job-history`). But a thousand of the largest are half a gigabyte.
"""

from collections.abc import Sequence

from penstock.engine.outbox import Entry

FIRST = 200
"""Before any was seen: 100 MB of the largest."""
MUCH = 8 * 1024 * 1024
"""Bytes of records in one batch from which on the next one is half as many."""


class Portion:
    """The size of one queue's and sink's next batch; it starts small, and doubles while batches are full."""

    def __init__(self, most: int) -> None:
        self._most = most
        self.count = min(FIRST, most)
        """Endings to ask for."""

    def note(self, entries: Sequence[Entry]) -> None:
        """What has come when `count` were asked for."""
        if sum(len(entry.record) for entry in entries) > MUCH:
            self.count = max(1, self.count // 2)
        elif len(entries) >= self.count:
            self.count = min(2 * self.count, self._most)
