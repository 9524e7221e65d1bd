"""The claimer: carries one queue's claims to the store, one at a time, until each is answered."""

from collections.abc import Sequence

import trio

from penstock.engine.heartbeat import Heartbeat
from penstock.engine.held import Held
from penstock.engine.shift import Shift
from penstock.engine.store import Claim, Claimed, Handed


class Order:
    """What the fetcher wants of one queue; `answered` is set when the jobs are in the buffer."""

    def __init__(self, wanted: int, *, suspect: bool, idle: bool) -> None:
        self.wanted = wanted
        self.suspect = suspect
        self.idle = idle
        self.late = False  # nobody waits for the answer any more
        self.taken = 0
        self.answered = trio.Event()


class Claimer:
    """One queue's; its claims are numbered from 1, and the next is sent when the last was answered."""

    def __init__(self, shift: Shift, queue: str) -> None:
        self._shift = shift
        self._queue = queue
        self._number = 0  # of the last claim
        self._under_way: Order | None = None  # was sent with this number, and its answer is not known
        self._was_late = False  # the answer before

    @property
    def free(self) -> bool:
        """Whether the queue may be asked: its lease is held, it has answered, and it takes endings."""
        shift, queue = self._shift, self._queue
        settled = len(shift.settlers[queue]) <= shift.buffer.capacity
        return settled and self._under_way is None and queue in shift.beaten

    def begin(self, wanted: int, *, idle: bool) -> Order:
        """Number the next claim; `carry` sends it."""
        shift = self._shift
        # One that is late is not asked twice in one round, so word is left there at once.
        idle = idle or (self._was_late and not shift.full)
        self._number += 1
        self._under_way = Order(wanted, suspect=not shift.holds_suspect, idle=idle)
        return self._under_way

    async def carry(self, order: Order) -> None:
        """Send the claim and take what it brings.

        After `StoreUnavailable` run it again: the claim is sent again under its number. Cancelled, it stays
        under way: see `give_up`.
        """
        while self._under_way is order:
            claim = await self._ask(order)
            if claim is None:
                await Heartbeat(self._shift, self._queue).beat()  # prolongs the lease, or ends the shift
            else:
                self._under_way = None
                self._take(order, claim)

    def receive(self, handed: Handed) -> None:
        """Take a job that came with a wake-up, unless a claim of the same number has brought it, or will.

        While a claim is under way that one will, or the next.
        """
        if self._under_way is None and handed.number > self._number:
            self._number, full = handed.number, self._shift.full
            self._hold([handed.job], handed.now)
            if full:  # word was left with several queues, and another's job has taken the place
                self._shift.give_back_buffered("no_room")

    async def give_up(self) -> None:
        """Give back what a claim has taken whose answer nobody waits for any more."""
        if self._under_way is not None:
            await self._shift.store.return_claim(self._queue, self._shift.worker, self._number)
            self._under_way = None

    async def _ask(self, order: Order) -> Claim | None:
        shift, queue = self._shift, self._queue
        # One who did not know the last job would only park the next.
        handed = order.idle and queue not in shift.baffled
        return await shift.store.claim(
            queue,
            shift.worker,
            self._number,
            order.wanted,
            suspect=order.suspect,
            idle=order.idle,
            handed=handed,
        )

    def _take(self, order: Order, claim: Claim) -> None:
        shift = self._shift
        self._hold(claim.jobs, claim.now)
        if claim.next_due is not None:
            shift.agenda[self._queue].note((claim.next_due - claim.now) / 1000)
        order.taken = len(claim.jobs)
        order.answered.set()
        self._was_late = order.late
        if order.late and (claim.jobs or not order.idle):
            shift.kick()  # there may be more, and the queue does not know that this worker waits

    def _hold(self, jobs: Sequence[Claimed], claimed_at: int) -> None:
        """Take over what the store gave under the last number; `claimed_at` is its clock."""
        shift, queue = self._shift, self._queue
        now = trio.current_time()
        for claimed in jobs:
            shift.take(Held(queue, claimed, self._number, claimed_at, now))
        shift.answered[queue] = self._number
        if shift.draining:  # before a consumer sees them: nothing starts any more
            shift.give_back_buffered("drain")
