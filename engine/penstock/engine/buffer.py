"""The bounded channel between the fetcher and the consumers."""

from collections import deque

import trio

from penstock.engine.held import Held


class Buffer:
    """First in, first out. `take_nowait` has the logic, `take` only waits.

    A memory channel cannot be looked into; this one tells how long its oldest job has waited and can be
    emptied at once, which is what giving prefetched jobs back needs.
    """

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self._jobs: deque[Held] = deque()
        self._takers = trio.lowlevel.ParkingLot()
        self._closed = False
        self._rousing = False  # a taker was woken and has not run yet

    def __len__(self) -> int:
        return len(self._jobs)

    @property
    def oldest(self) -> float | None:
        """When the job that has waited longest was claimed (the loop's clock), None if empty."""
        return self._jobs[0].since if self._jobs else None

    def put_nowait(self, held: Held) -> None:
        """Append a job; raises `trio.WouldBlock` when full."""
        if len(self._jobs) >= self.capacity:
            raise trio.WouldBlock
        self._jobs.append(held)
        self._rouse()

    def take_nowait(self) -> Held:
        """Take the oldest; raises `trio.WouldBlock` when empty, `trio.EndOfChannel` when closed too."""
        if self._jobs:
            return self._jobs.popleft()
        raise trio.EndOfChannel if self._closed else trio.WouldBlock

    async def take(self) -> Held:
        """Wait for a job; raises `trio.EndOfChannel` when closed and empty. Cancelled, it takes none."""
        while True:
            try:
                held = self.take_nowait()
            except trio.WouldBlock:
                try:
                    await self._takers.park()
                finally:
                    self._rousing = False
            else:
                self._rouse()
                return held

    def empty(self) -> list[Held]:
        """Take all of them, oldest first."""
        jobs = list(self._jobs)
        self._jobs.clear()
        return jobs

    def _rouse(self) -> None:
        """Wake one taker; it wakes the next if there is more.

        Waking all of them at once would let them run everything before anybody else has the loop: the
        fetcher could not ask for more in time.
        """
        if self._jobs and not self._rousing and self._takers:
            self._rousing = True
            self._takers.unpark()

    def close(self) -> None:
        """Let takers end once it is empty."""
        self._closed = True
        self._takers.unpark_all()
