"""The heartbeat: prolongs the lease on one queue and compares what the store holds with what is here."""

import trio

from penstock.engine.events import JobsReleased
from penstock.engine.shift import Shift

BEATS = 3
"""Beats in one lease: two may fail before the lease runs out."""


class Heartbeat:
    """One queue's heartbeat."""

    def __init__(self, shift: Shift, queue: str) -> None:
        self._shift = shift
        self._queue = queue

    async def run(self) -> None:
        """Beat until cancelled; ends the shift when the lease turns out to be lost."""
        while True:
            await self.beat()
            await trio.sleep(self._shift.settings.lease / BEATS)

    async def beat(self) -> None:
        """Beat once."""
        shift, queue = self._shift, self._queue
        before = shift.snapshot(queue)
        beat = await shift.store.heartbeat(queue, shift.worker, round(shift.settings.lease * 1000))
        if beat is None:
            shift.lose(queue)
            return
        shift.beaten[queue] = trio.current_time()
        orphans = shift.compare(queue, before, beat)
        if orphans:
            released = await shift.store.release(queue, shift.worker, orphans)
            shift.seams.observers.emit(JobsReleased(queue, len(released.suffixes), "lost_reply"))
