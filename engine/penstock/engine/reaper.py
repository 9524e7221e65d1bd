"""The reaper: takes back the jobs of workers whose lease has ended."""

import random
import time

import trio

from penstock.engine.events import WorkersReaped
from penstock.engine.job import JobError
from penstock.engine.limits import DEAD_TTL
from penstock.engine.record import Ending, encode_ending
from penstock.engine.shift import Shift

MAX_WAIT = 1.0
"""Seconds between looks: what a takeover may take beyond the lease."""
SLICE = 100
"""Jobs taken back in one call: about 2 ms of the server's time, so that others are served in between."""
LOOKS = 6
"""Looks in one lease, however short: the store takes a gap of half a lease for a standstill."""


class Reaper:
    """One queue's reaper.

    It has patience, which the store keeps for all of them: after a standstill of the store, or of
    everybody, nobody is revoked for one lease, because whoever lives is about to beat.
    """

    def __init__(self, shift: Shift, queue: str) -> None:
        self._shift = shift
        self._queue = queue

    async def run(self) -> None:
        """Reap until cancelled."""
        while True:
            await self._reap()
            await trio.sleep(min(MAX_WAIT, self._shift.settings.lease / LOOKS) * random.uniform(0.5, 1.0))

    async def _reap(self) -> None:
        shift, more = self._shift, True
        while more:
            reaping = await shift.store.reap(
                self._queue,
                max_crashes=shift.settings.max_crashes,
                ending=_crashed(shift.worker, shift.settings.max_crashes),
                keep=round(DEAD_TTL * 1000),
                limit=SLICE,
                patience=round(shift.settings.lease * 1000),
            )
            if reaping.revoked or reaping.returned or reaping.dead:
                shift.seams.observers.emit(
                    WorkersReaped(self._queue, reaping.revoked, len(reaping.returned), reaping.dead)
                )
            more = reaping.remaining


def _crashed(reaper: str, crashes: int) -> bytes:
    """The ending of a job that took too many workers down."""
    now = time.time_ns() // 1_000_000
    reason = f"{crashes} workers died while they held this job; found by {reaper}"
    return encode_ending(Ending(reaper, now, now, error=JobError("penstock.WorkerCrashed", reason)))
