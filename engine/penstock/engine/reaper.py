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


MAX_PATIENCE = 3
"""Leases that its patience may last when the connection is made anew again and again."""


class Reaper:
    """One queue's reaper.

    It has patience: for one lease after its start, after the store was away and after this process itself
    stood still it revokes nobody, because whoever was away as well may be about to beat.
    """

    def __init__(self, shift: Shift, queue: str) -> None:
        self._shift = shift
        self._queue = queue

    async def run(self) -> None:
        """Reap until cancelled."""
        shift, lease = self._shift, self._shift.settings.lease
        epoch, began = shift.store.epoch, trio.current_time()
        looked, patient_until = began, began + lease
        while True:
            await trio.sleep(min(MAX_WAIT, lease / 3) * random.uniform(0.5, 1.0))
            now = trio.current_time()
            if shift.store.epoch != epoch or now - looked > lease:
                began = now if now >= patient_until else began
                epoch, patient_until = shift.store.epoch, min(now + lease, began + MAX_PATIENCE * lease)
            looked = now
            if now >= patient_until:
                await self._reap()

    async def _reap(self) -> None:
        shift, more = self._shift, True
        while more:
            reaping = await shift.store.reap(
                self._queue,
                max_crashes=shift.settings.max_crashes,
                ending=_crashed(shift.worker, shift.settings.max_crashes),
                keep=round(DEAD_TTL * 1000),
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
