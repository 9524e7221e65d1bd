"""The scheduler: makes jobs ready that are due."""

import time

from penstock.engine.events import JobsPromoted
from penstock.engine.shift import Shift

MAX_WAIT = 5.0
"""Seconds between looks when nothing is known to become due."""
SLICE = 200
"""Jobs made ready in one call: about 3 ms of the server's time, so that others are served in between."""


async def schedule(shift: Shift, queue: str) -> None:
    """Promote one queue's due jobs until cancelled."""
    agenda = shift.agenda[queue]
    while True:
        began = time.perf_counter()
        promotion = await shift.store.promote(queue, SLICE)
        if promotion.moved:
            shift.seams.observers.emit(JobsPromoted(queue, promotion.moved, time.perf_counter() - began))
        if promotion.next_due is not None:
            agenda.note((promotion.next_due - promotion.now) / 1000)
        await agenda.wait(MAX_WAIT)
