"""The fetcher: claims what free consumers can start at once, plus a prefetch bounded by time."""

from collections.abc import Sequence
from contextlib import suppress
from functools import partial

import trio

from penstock.engine.claimer import Claimer
from penstock.engine.errors import StoreUnavailable
from penstock.engine.shift import MAX_PREFETCH, Shift
from penstock.engine.supervision import Supervisor

PREFETCH_SECONDS = 0.1
"""A claimed job should start within this time; what waits longer is given back for others."""
MAX_IDLE = 5.0
"""Seconds after which an idle fetcher looks again although nobody woke it."""
MAX_DEAF = 0.25
"""The same while wake-ups are not heard: one server of several being away deafens a worker to all."""
PATIENCE = 0.25
"""Seconds in which a queue should answer; one that is late is taken up again when it has answered."""
COURTESY = 0.1
"""Seconds that others get to take what this worker does not know."""
MAX_CLAIM = 500


class Pace:
    """How many jobs this worker finishes a second, over the last tenth of one."""

    def __init__(self) -> None:
        self._rate = 0.0
        self._finished = 0
        self._since = trio.current_time()

    def rate(self, finished: int) -> float:
        """Jobs a second; `finished` is a running total."""
        now = trio.current_time()
        if (elapsed := now - self._since) >= PREFETCH_SECONDS:
            self._rate = (finished - self._finished) / elapsed
            self._finished, self._since = finished, now
        return self._rate


class Fetcher:
    """Fills a shift's buffer; one per shift. A queue whose server is away does not hold up the others."""

    def __init__(
        self, shift: Shift, claimers: Sequence[Claimer], claims: trio.Nursery, supervisor: Supervisor
    ) -> None:
        """One claimer for each queue; each claim is a task in `claims`."""
        self._shift = shift
        self._claimers = list(claimers)
        self._claims = claims
        self._supervisor = supervisor
        self._pace = Pace()
        self._first = 0  # the queue that is asked first, in turn
        self._left_word = False  # every queue that answers was empty and knows that this worker waits

    async def run(self) -> None:
        """Claim until the shift drains; claims that are late then are left to end by themselves."""
        shift = self._shift
        while not shift.draining:
            wanted = self._wanted()
            if wanted <= 0:
                self._left_word = False  # it was woken with a job in hand, and has no room for another
            elif await self._claim(wanted) > 0:
                continue
            if shift.draining:
                break
            if self._left_word:
                await shift.wait_for_work(MAX_IDLE if shift.hears else MAX_DEAF)
                await self._let_others_look()
            elif wanted <= 0 or shift.full:
                await self._wait_for_room()
            # else a consumer came free while the claim was under way: look again, and leave word this time

    async def _let_others_look(self) -> None:
        """Wake another worker first where this one did not know the last job, or it would get it for ever.

        Parking a job wakes whoever has been idle longest, to hear of the new due time; so when it is due, the
        longest idle is the one that parked it.
        """
        shift = self._shift
        if shift.baffled and not shift.draining:
            with suppress(StoreUnavailable), trio.move_on_after(PATIENCE):
                for queue in tuple(shift.baffled):
                    await shift.store.nudge(queue)
            await trio.sleep(COURTESY)

    def _wanted(self) -> int:
        shift, prefetch = self._shift, self._prefetch()
        if len(shift.buffer) > prefetch // 2 or shift.settles_too_slowly:
            return 0
        return min(MAX_CLAIM, shift.settings.concurrency + prefetch - shift.running - len(shift.buffer))

    def _prefetch(self) -> int:
        most = MAX_PREFETCH * self._shift.settings.concurrency
        return min(most, int(self._pace.rate(self._shift.finished) * PREFETCH_SECONDS))

    async def _wait_for_room(self) -> None:
        """Until a consumer has made room; jobs that waited too long meanwhile are given back."""
        shift = self._shift
        with trio.move_on_after(PREFETCH_SECONDS if shift.buffer else MAX_IDLE):
            await shift.wait_for_room(self._prefetch() // 2)
            return
        oldest = shift.buffer.oldest
        if oldest is not None and trio.current_time() - oldest > PREFETCH_SECONDS:
            shift.give_back_buffered("waited_too_long")

    async def _claim(self, wanted: int) -> int:
        """Ask the queues in turn; the last look, if all were empty, leaves word to be woken.

        A worker that is full leaves no word: it could not start what it would be woken for.
        """
        self._left_word = False
        claimers = self._claimers
        in_turn = claimers[self._first :] + claimers[: self._first]
        self._first = (self._first + 1) % len(claimers)
        taken = 0
        if len(in_turn) > 1:
            for claimer in in_turn:
                taken += await self._claim_from(claimer, wanted - taken, idle=False)
        if taken == 0:
            word = not self._shift.full
            for claimer in in_turn:
                taken += await self._claim_from(claimer, wanted - taken, idle=word and taken == 0)
            self._left_word = word and taken == 0
        return taken

    async def _claim_from(self, claimer: Claimer, wanted: int, *, idle: bool) -> int:
        """How many jobs came; none too from a queue that is late, whose jobs come when they come."""
        if wanted <= 0 or not claimer.free:
            return 0
        order = claimer.begin(wanted, idle=idle)
        self._claims.start_soon(self._supervisor.keep, "fetcher", partial(claimer.carry, order))
        with trio.move_on_after(PATIENCE):
            await order.answered.wait()
        order.late = not order.answered.is_set()
        return order.taken
