"""What a member knows of a partition that is its own: which events it has seen, how far it may commit."""

from collections import OrderedDict

MOST = 1_000
"""Ids that are remembered of a partition, and second sendings that may be passed over before a commit."""


class Partition:
    """From an assignment to its end; `generation` tells one assignment of a partition from the next."""

    def __init__(self, generation: int) -> None:
        self.generation = generation
        self._seen: OrderedDict[str, int] = OrderedDict()
        self._passed: set[int] = set()

    def is_new(self, event_id: str, offset: int) -> bool:
        """False for a second sending of an event that stands before it and is remembered.

        The same message received again, at the same offset, is new: it was not committed.
        """
        first = self._seen.setdefault(event_id, offset)
        if len(self._seen) > MOST:
            self._seen.popitem(last=False)
        if offset <= first or len(self._passed) >= MOST:
            return True
        self._passed.add(offset)
        return False

    def next_after(self, offset: int) -> int:
        """Where to go on once `offset` is done with: behind what was passed over."""
        offset += 1
        while offset in self._passed:
            offset += 1
        self._passed = {passed for passed in self._passed if passed > offset}
        return offset
