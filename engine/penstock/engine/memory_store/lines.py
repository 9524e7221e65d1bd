"""Where ready jobs wait: a line for each (priority, tenant), and one for suspects.

A cancelled job's entry stays in its line, because nothing searches a list of a million; whoever comes
upon it drops it. Entries are numbered: the same id may be submitted again before that happens.
"""

from collections import deque
from collections.abc import Iterator
from typing import TypeAlias

from penstock.engine.record import Header

Line: TypeAlias = deque[tuple[int, str]]
"""Numbered entries."""
Rotation: TypeAlias = dict[str, Line]
"""Tenant → its line. The order of the keys is the order of turns; no line in it is empty."""


class ReadyLines:
    """The order in which ready jobs are claimed; its length is the number of those that stand."""

    def __init__(self) -> None:
        self._numbers: dict[str, int] = {}  # of each job's entry that is good
        self._last_number = 0
        self._rotations: dict[int, Rotation] = {}
        self._suspects: Line = deque()

    def __len__(self) -> int:
        return len(self._numbers)

    def put(self, suffix: str, header: Header, *, first: bool = False) -> None:
        """Let a job wait, at the end of its line or at the front of it."""
        self._last_number += 1
        self._numbers[suffix] = self._last_number
        line, entry = self._line_of(header), (self._last_number, suffix)
        if first:
            line.appendleft(entry)
        else:
            line.append(entry)

    def discard(self, suffix: str) -> None:
        """The job does not wait any more."""
        self._numbers.pop(suffix, None)

    def take(self, count: int, *, suspect: bool) -> list[str]:
        """The next `count` jobs: one suspect at most, if asked for; then by priority, tenants in turn."""
        taken = self._take_from(self._suspects, min(count, 1)) if suspect else []
        for priority in sorted(self._rotations, reverse=True):
            taken += self._take_in_turns(self._rotations[priority], count - len(taken))
            if not self._rotations[priority]:
                del self._rotations[priority]
        return taken

    def heads(self) -> Iterator[str]:
        """The first job of each line that still stands."""
        lines = [self._suspects, *(line for lanes in self._rotations.values() for line in lanes.values())]
        for line in lines:
            head = next(filter(self._stands, line), None)
            if head is not None:
                yield head[1]

    def _stands(self, entry: tuple[int, str]) -> bool:
        number, suffix = entry
        return self._numbers.get(suffix) == number

    def _line_of(self, header: Header) -> Line:
        if header.crashes:
            return self._suspects
        # A line that was empty enters behind all the others of its priority.
        return self._rotations.setdefault(header.priority, {}).setdefault(header.tenant, deque())

    def _take_in_turns(self, rotation: Rotation, wanted: int) -> list[str]:
        taken: list[str] = []
        while rotation and len(taken) < wanted:
            quota = max(1, (wanted - len(taken)) // len(rotation))
            for tenant in list(rotation)[: wanted - len(taken)]:
                line = rotation.pop(tenant)
                taken += self._take_from(line, quota)
                if line:
                    rotation[tenant] = line  # it has had its turn
        return taken

    def _take_from(self, line: Line, count: int) -> list[str]:
        taken: list[str] = []
        while line and len(taken) < count:
            entry = line.popleft()
            if self._stands(entry):
                del self._numbers[entry[1]]
                taken.append(entry[1])
        return taken
