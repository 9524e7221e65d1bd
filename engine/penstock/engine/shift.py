"""A shift: what one worker id holds while its leases live, shared by the worker's loops.

All of it belongs to one event loop and every method is synchronous or only waits, so no state is ever
half changed across an await. When a lease is lost the shift ends and the worker starts another,
under a new id.
"""

from collections.abc import Sequence

import trio

from penstock.engine.buffer import Buffer
from penstock.engine.events import LeaseLost
from penstock.engine.held import Held, Reason
from penstock.engine.outcome import Released
from penstock.engine.runner import Finished
from penstock.engine.seams import Seams
from penstock.engine.settler import Settler
from penstock.engine.store import Heartbeat, Store
from penstock.engine.worker_settings import WorkerSettings

MAX_PREFETCH = 4
"""Times the concurrency: a cap on the prefetch however short the jobs are."""


LAST_CLAIM = 1.0
"""Seconds that a claim under way may take once draining; what it took is given back with the lease."""


class Shift:
    """The state of one worker id. `scope` is cancelled when a lease is lost, `fetching` ends with a drain."""

    def __init__(
        self, store: Store, queues: Sequence[str], worker: str, settings: WorkerSettings, seams: Seams
    ) -> None:
        self.store = store
        self.queues = list(dict.fromkeys(queues))
        self.worker = worker
        self.settings = settings
        self.seams = seams
        self.settlers = {queue: Settler(store, seams, queue, worker, self._forget) for queue in queues}
        self.buffer = Buffer((1 + MAX_PREFETCH) * settings.concurrency)
        self.scope = trio.CancelScope()
        self.fetching = trio.CancelScope()
        self.lost = False
        self.draining = False
        self.running = 0
        self.finished = 0
        self.answered = dict.fromkeys(queues, 0)
        """Per queue, the number of the last claim whose answer arrived."""
        self.beaten: dict[str, float] = {}
        """Per queue, when the lease was begun or prolonged last, by the loop's clock."""
        self.hears = False
        """Whether wake-ups arrive."""
        self.baffled: set[str] = set()
        """Queues whose last job here was one that this worker does not know."""
        self.agenda = {queue: Agenda() for queue in queues}
        self._held: dict[tuple[str, int], Held] = {}  # by queue and token, until the store has them back
        self._suspects = 0
        self.wants_attention = False
        """Whether the fetcher should have the loop before more jobs are run: there is room for others."""
        self._room: trio.Event | None = None  # the fetcher waits for it
        self._room_at = 0
        self._work = trio.Event()

    async def join(self, queue: str) -> None:
        """Begin the lease on a queue; from here on it is asked for jobs."""
        settings = self.settings
        await self.store.join(queue, self.worker, round(settings.lease * 1000), settings.concurrency)
        self.beaten[queue] = trio.current_time()
        self.kick()

    # --- jobs come and go ----------------------------------------------------------------

    @property
    def full(self) -> bool:
        """Whether a job claimed now would have to wait for a consumer."""
        return self.running + len(self.buffer) >= self.settings.concurrency

    @property
    def settles_too_slowly(self) -> bool:
        """Whether every queue has more endings and returns waiting than there should be."""
        return min(map(len, self.settlers.values())) > self.buffer.capacity

    @property
    def holds_suspect(self) -> bool:
        """Whether one of the jobs here was held by a worker that died."""
        return self._suspects > 0

    def take(self, held: Held) -> None:
        """Take a claimed job over into the buffer.

        What came so late that its place is taken, be it the one suspect's, goes back.
        """
        second = held.suspect and self.holds_suspect
        self._held[held.queue, held.claimed.token] = held
        self._suspects += held.suspect
        try:
            if second:
                raise trio.WouldBlock
            self.buffer.put_nowait(held)
        except trio.WouldBlock:
            self.settlers[held.queue].give_back(held, "waited_too_long")

    def started(self) -> None:
        """A consumer took a job from the buffer."""
        self.running += 1
        if self._room is not None:
            self._made_room(self._room)

    def ended(self) -> None:
        """A consumer is done with it."""
        self.running -= 1
        self.finished += 1
        if self._room is not None:
            self._made_room(self._room)

    def settle(self, held: Held, finished: Finished) -> None:
        """Hand over how a job ended here, or that nobody here knows it."""
        outcome = finished.outcome
        if isinstance(outcome, Released) and outcome.reason != "shutdown":
            self.baffled.add(held.queue)
        elif self.baffled:
            self.baffled.discard(held.queue)
        self.settlers[held.queue].put(held, finished)

    def give_back_buffered(self, reason: str) -> None:
        """Return what has not started."""
        for held in self.buffer.empty():
            self.settlers[held.queue].give_back(held, reason)

    def give_back_held(self, queue: str, reason: str) -> None:
        """Return all of a queue that is neither settled nor given back, when nothing runs any more."""
        for held in self._held.values():
            if held.queue == queue:
                self.settlers[queue].give_back(held, reason)

    def close_settlers(self) -> None:
        """There will be no more endings: let the settlers end when they have sent what they have."""
        for settler in self.settlers.values():
            settler.close()

    def stop_running(self, reason: Reason) -> None:
        """Cancel every handler."""
        for held in tuple(self._held.values()):
            held.stop(reason)

    def cancel_job(self, queue: str, suffix: str) -> None:
        """Somebody asked for it: cancel the job if it is here."""
        for held in self._held.values():
            if held.queue == queue and held.claimed.suffix == suffix:
                held.stop("cancelled")

    def _forget(self, held: Held) -> None:
        place = held.queue, held.claimed.token
        if self._held.get(place) is held:  # a server that lost data may give a token twice
            del self._held[place]
            self._suspects -= held.suspect
            if self._room is not None:  # the fetcher may wait for the settler, with nothing running here
                self._made_room(self._room)
            if held.suspect:
                self.kick()  # the next suspect may come

    # --- what the store says of it -------------------------------------------------------

    def snapshot(self, queue: str) -> tuple[int, frozenset[int]]:
        """What a heartbeat's answer is compared with: the last answered claim, and the tokens held."""
        return self.answered[queue], frozenset(token for name, token in self._held if name == queue)

    def compare(
        self, queue: str, before: tuple[int, frozenset[int]], beat: Heartbeat
    ) -> list[tuple[str, int]]:
        """Cancel what the store holds for somebody else; return what only the store believes is here.

        Only jobs that were held before and after the heartbeat, or by neither, are judged: others are on
        their way.
        """
        answered, tokens = before
        for token in tokens - beat.held.keys():
            if (held := self._held.get((queue, token))) is not None and held.scope is not None:
                held.stop("lost")
        for suffix in beat.cancels:
            self.cancel_job(queue, suffix)
        return [
            (suffix, token)
            for token, (suffix, claim) in beat.held.items()
            if claim <= answered and token not in tokens and (queue, token) not in self._held
        ]

    def lose(self, queue: str) -> None:
        """The lease is gone: end the shift, its handlers included."""
        if not self.lost:
            self.lost = True
            self.seams.observers.emit(LeaseLost(queue, self.worker, self.running))
            self.scope.cancel()

    # --- waiting -------------------------------------------------------------------------

    def drain(self) -> None:
        """Stop claiming and give back what has not started; claims under way are cut off after a moment."""
        self.draining = True
        self.give_back_buffered("drain")
        self.fetching.deadline = trio.current_time() + LAST_CLAIM
        self.kick()
        if self._room is not None:
            self._room.set()

    def kick(self) -> None:
        """There may be work: let the fetcher look."""
        self._work.set()

    async def wait_for_work(self, seconds: float) -> None:
        """Until somebody kicks, at most `seconds`."""
        with trio.move_on_after(seconds):
            await self._work.wait()
        self._work = trio.Event()

    async def wait_for_room(self, at: int) -> None:
        """Until a job starts or ends while no more than `at` are buffered."""
        self._room_at, self._room = at, (room := trio.Event())
        try:
            await room.wait()
        finally:
            self._room, self.wants_attention = None, False

    def _made_room(self, room: trio.Event) -> None:
        if len(self.buffer) <= self._room_at:
            room.set()
            self._room, self.wants_attention = None, True


class Agenda:
    """When the scheduler of one queue has to look next; others may bring the time forward."""

    def __init__(self) -> None:
        self._at = float("inf")
        self._changed = trio.Event()

    def note(self, seconds: float) -> None:
        """Something becomes due in `seconds` (the past counts as now)."""
        at = trio.current_time() + max(0.0, seconds)
        if at < self._at:
            self._at = at
            self._changed.set()

    async def wait(self, most: float) -> None:
        """Until the next thing is due, at most `most` seconds."""
        limit = trio.current_time() + most
        while (now := trio.current_time()) < (until := min(self._at, limit)):
            self._changed = trio.Event()
            with trio.move_on_after(until - now):
                await self._changed.wait()
        self._at = float("inf")
