"""Time that goes from one event to the next."""

from collections.abc import Callable
from heapq import heappop, heappush
from itertools import count

Action = Callable[[], None]


class Clock:
    """Does what is due, in order; of two things that are due at once, the one that was planned first."""

    def __init__(self) -> None:
        self.now = 0.0
        self._planned: list[tuple[float, int, Action]] = []
        self._number = count()

    def after(self, seconds: float, action: Action) -> None:
        """Do it so much later."""
        heappush(self._planned, (self.now + seconds, next(self._number), action))

    def run(self, until: float) -> None:
        """Go on to that moment."""
        while self._planned and self._planned[0][0] <= until:
            self.now, _, action = heappop(self._planned)
            action()
        self.now = until


class Processor:
    """One core, which does one thing after the other."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._free = 0.0
        self._given = 0.0  # seconds, those to come included

    @property
    def busy(self) -> float:
        """Seconds so far; what is still in line does not count, or a full core would look more than full."""
        return self._given - max(0.0, self._free - self._clock.now)

    def do(self, seconds: float, then: Action) -> None:
        """Get in line; `then` follows when it is done."""
        start = max(self._free, self._clock.now)
        self._free = start + seconds
        self._given += seconds
        self._clock.after(self._free - self._clock.now, then)
