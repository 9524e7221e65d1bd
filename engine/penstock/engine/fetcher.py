"""The fetcher: claims what free consumers can start at once, plus a prefetch bounded by time."""

import trio

from penstock.engine.heartbeat import Heartbeat
from penstock.engine.held import Held
from penstock.engine.shift import MAX_PREFETCH, Shift
from penstock.engine.store import Claim

PREFETCH_SECONDS = 0.1
"""A claimed job should start within this time; what waits longer is given back for others."""
MAX_IDLE = 5.0
"""Seconds after which an idle fetcher looks again although nobody woke it."""
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
    """Fills a shift's buffer; one per shift."""

    def __init__(self, shift: Shift) -> None:
        self._shift = shift
        self._pace = Pace()
        self._number = 1  # of the next claim, on every queue
        self._first = 0  # the queue that is asked first, in turn
        self._left_word = False  # every queue was found empty and knows that this worker waits
        self._unanswered: str | None = None  # the queue to which a claim was sent whose answer is not known

    async def run(self) -> None:
        """Claim until the shift drains.

        After `StoreUnavailable` run it again: a claim whose answer was lost is sent again under its number.
        """
        shift = self._shift
        while not shift.draining:
            wanted = self._wanted()
            if wanted > 0 and await self._claim(wanted) > 0:
                continue
            if shift.draining:
                break
            if self._left_word:
                await shift.wait_for_work(MAX_IDLE)
            elif wanted <= 0 or shift.full:
                await self._wait_for_room()
            # else a consumer came free while the claim was under way: look again, and leave word this time

    async def give_up(self) -> None:
        """Give back what a claim has taken whose answer nobody waits for any more."""
        if self._unanswered is not None:
            await self._shift.store.return_claim(self._unanswered, self._shift.worker, self._number)
            self._unanswered = None

    def _wanted(self) -> int:
        shift, prefetch = self._shift, self._prefetch()
        if len(shift.buffer) > prefetch // 2 or len(shift.settler) > shift.buffer.capacity:
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
        if self._unanswered is not None:
            return await self._claim_from(self._unanswered, wanted, idle=False)
        queues = self._shift.queues
        order = queues[self._first :] + queues[: self._first]
        self._first = (self._first + 1) % len(queues)
        taken = 0
        if len(order) > 1:
            for queue in order:
                taken += await self._claim_from(queue, wanted - taken, idle=False) if wanted > taken else 0
        if taken == 0:
            word = not self._shift.full
            for queue in order:
                taken += await self._claim_from(queue, wanted - taken, idle=word and taken == 0)
            self._left_word = word and taken == 0
        return taken

    async def _claim_from(self, queue: str, wanted: int, *, idle: bool) -> int:
        shift = self._shift
        suspect = not shift.holds_suspect
        self._unanswered = queue
        while (claim := await self._ask(queue, wanted, suspect=suspect, idle=idle)) is None:
            await Heartbeat(shift, queue).beat()  # the lease ran out: prolongs it, or ends the shift
        self._unanswered = None
        number, self._number = self._number, self._number + 1
        self._take(queue, claim, number)
        return len(claim.jobs)

    async def _ask(self, queue: str, wanted: int, *, suspect: bool, idle: bool) -> Claim | None:
        claim, worker = self._shift.store.claim, self._shift.worker
        return await claim(queue, worker, self._number, wanted, suspect=suspect, idle=idle)

    def _take(self, queue: str, claim: Claim, number: int) -> None:
        shift = self._shift
        now = trio.current_time()
        for claimed in claim.jobs:
            shift.take(Held(queue, claimed, number, claim.now, now))
        shift.answered[queue] = number
        if shift.draining:  # before a consumer sees them: nothing starts any more
            shift.give_back_buffered("drain")
        if claim.next_due is not None:
            shift.agenda[queue].note((claim.next_due - claim.now) / 1000)
