"""Where scheduled and parked jobs wait for their time: a sorted set of suffixes by due time."""

import heapq


class Timetable:
    """Jobs by the time they are due; equal times by suffix, as Redis sorts them."""

    def __init__(self) -> None:
        self._due: dict[str, int] = {}
        self._heap: list[tuple[int, str]] = []  # may hold entries that `_due` knows no more

    def __len__(self) -> int:
        return len(self._due)

    def put(self, suffix: str, due: int) -> None:
        """Let a job wait until `due`."""
        self._due[suffix] = due
        heapq.heappush(self._heap, (due, suffix))

    def discard(self, suffix: str) -> None:
        """The job does not wait any more."""
        self._due.pop(suffix, None)

    def next_due(self) -> int | None:
        """When the first of them is due."""
        while self._heap and self._due.get(self._heap[0][1]) != self._heap[0][0]:
            heapq.heappop(self._heap)
        return self._heap[0][0] if self._heap else None

    def take_due(self, now: int, limit: int) -> list[str]:
        """At most `limit` that are due, oldest first."""
        taken: list[str] = []
        while len(taken) < limit:
            due = self.next_due()
            if due is None or due > now:
                break
            _, suffix = heapq.heappop(self._heap)
            del self._due[suffix]
            taken.append(suffix)
        return taken
