"""The reaper: takes back the jobs of workers whose lease has ended."""

import random
import time

import trio

from penstock.engine.events import WorkersReaped
from penstock.engine.failure import describe_trouble
from penstock.engine.failure_counts import failure_of
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
            began = time.perf_counter()
            error = _crashed(self._queue, shift.worker, shift.settings.max_crashes)
            reaping = await shift.store.reap(
                self._queue,
                max_crashes=shift.settings.max_crashes,
                ending=_ending(shift.worker, error),
                failure=failure_of("", error),
                keep=round(DEAD_TTL * 1000),
                limit=SLICE,
                patience=round(shift.settings.lease * 1000),
            )
            if reaping.revoked or reaping.returned or reaping.dead:
                seconds = time.perf_counter() - began
                shift.seams.observers.emit(
                    WorkersReaped(self._queue, reaping.revoked, len(reaping.returned), reaping.dead, seconds)
                )
            more = reaping.remaining


def _crashed(queue: str, reaper: str, crashes: int) -> JobError:
    """Why jobs die that took too many workers down: the same for all of a queue, as no step reads bodies."""
    reason = f"{crashes} workers died while they held this job; found by {reaper}"
    return describe_trouble("penstock.WorkerCrashed", reason, worker=reaper, place=queue)


def _ending(reaper: str, error: JobError) -> bytes:
    now = time.time_ns() // 1_000_000
    return encode_ending(Ending(reaper, now, now, error=error))
