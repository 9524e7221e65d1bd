"""What a process tells about the queues: those whose reporter it is, and no others.

Every process could read the same from the store; if several showed it, a sum over them would count each job
several times. So the store gives each queue's role to one process at a time (`Store.report`), and that one
keeps it as long as it is scraped.
"""

import os
import random
import socket
from collections import deque
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from typing import Protocol

import trio

from penstock.engine.errors import PenstockError
from penstock.engine.store import QueueFacts
from penstock.telemetry.metrics.families import QueueMetrics

STORE_TIMEOUT = 1.0
"""Seconds the store has to answer; a scrape is due within ten by default and also tells that it is down."""
RESIGN_WITHIN = 0.5
"""Seconds that giving up the role may hold up the end of a process; it passes on without that, only later."""
FIRST_LEASE = 60.0
"""Seconds, as long as a process does not know how often it is scraped; Prometheus' default interval."""
INTERVALS = 2.5
"""How many intervals between scrapes the role lasts: one that fails changes nothing, two in a row lose it."""
SHORTEST, LONGEST = 5.0, 300.0
"""Seconds; bounds of that lease. The longest is how far back Prometheus looks for a sample by default."""
_REMEMBERED = 3  # intervals, of which the longest counts: two scrapers that come in turn make uneven ones
_AT_ONCE = 4  # queues: hides the way to the store; each holds the loop for 0.13 ms (measured), all below 1 ms


class FactSource(Protocol):
    """The part of `penstock.engine.store.Store` that a scrape reads."""

    async def queues(self) -> list[str]:
        """Every queue there is."""
        ...

    async def report(self, queue: str, reporter: str, lease: int) -> QueueFacts | None:
        """The facts, if the role is or becomes this reporter's for `lease` milliseconds."""
        ...

    async def resign(self, queue: str, reporter: str) -> None:
        """Give the role up."""
        ...

    async def memory(self, queue: str) -> float:
        """The part of its memory's bound that the queue's server uses."""
        ...


class QueueReports:
    """Fills the queues' gauges at each scrape. Needs Trio; one `refresh` at a time."""

    def __init__(self, gauges: QueueMetrics, store: FactSource) -> None:
        self._gauges = gauges
        self._store = store
        self._reporter = f"{socket.gethostname()}-{os.getpid()}-{random.getrandbits(24):06x}"
        self._perhaps_ours: set[str] = set()
        self._resigned = False
        self._asked: float | None = None
        self._intervals: deque[float] = deque(maxlen=_REMEMBERED)

    async def refresh(self) -> None:
        """Ask about every queue, within `STORE_TIMEOUT` seconds, and show those that are ours to tell.

        A queue that the store did not answer for is left out, and `penstock_store_up` is 0; nothing is
        raised. Cancelled, it leaves gauges out.
        """
        lease = self._lease()
        self._gauges.clear()
        with trio.move_on_after(STORE_TIMEOUT):
            answered = await self._ask_all(lease)
            self._gauges.store_up.labels().set(1 if answered else 0)
            return
        self._gauges.store_up.labels().set(0)

    async def resign(self) -> None:
        """Let another process tell from its next scrape on; shows no queue any more.

        For the end of a process: takes `RESIGN_WITHIN` seconds at most and raises nothing. Where the store
        does not answer, the role passes on once its time is over.
        """
        self._resigned = True
        self._gauges.clear()

        async def resign(queue: str) -> None:
            with suppress(PenstockError):
                await self._store.resign(queue, self._reporter)

        with trio.move_on_after(RESIGN_WITHIN):
            await _for_each(self._perhaps_ours, resign)

    async def _ask_all(self, lease: int) -> bool:
        """Whether everything was answered."""
        silent: list[str] = []

        async def ask(queue: str) -> None:
            try:
                await self._ask(queue, lease)
            except PenstockError:
                silent.append(queue)

        try:
            queues = await self._store.queues()
        except PenstockError:
            return False
        await _for_each(() if self._resigned else queues, ask)
        return not silent

    async def _ask(self, queue: str, lease: int) -> None:
        self._perhaps_ours.add(queue)  # also if the answer gets lost
        facts = await self._store.report(queue, self._reporter, lease)
        if facts is None:
            self._perhaps_ours.discard(queue)
        else:
            self._show(facts, await self._store.memory(queue))

    def _lease(self) -> int:
        """How long the role is ours from now on, in milliseconds."""
        now = trio.current_time()
        if self._asked is not None:
            self._intervals.append(now - self._asked)
        self._asked = now
        wanted = INTERVALS * max(self._intervals) if self._intervals else FIRST_LEASE
        return round(min(max(wanted, SHORTEST), LONGEST) * 1000)

    def _show(self, facts: QueueFacts, memory: float) -> None:
        gauges, queue = self._gauges, facts.queue
        for state in ("ready", "scheduled", "running", "dead"):
            gauges.jobs.labels(queue, state).set(getattr(facts, state))
        ages = {"ready": facts.oldest_ready, "running": facts.oldest_running, "scheduled": facts.next_due}
        for state, since in ages.items():
            age = 0 if since is None else max(facts.now - since, 0) / 1000
            gauges.oldest.labels(queue, state).set(age)
        gauges.workers.labels(queue).set(facts.workers)
        gauges.slots.labels(queue).set(facts.slots)
        gauges.memory.labels(queue).set(memory)


async def _for_each(queues: Iterable[str], act: Callable[[str], Awaitable[None]]) -> None:
    """Call `act` for every queue, some of them at once, in order."""
    left = iter(list(queues))

    async def act_on_what_is_left() -> None:
        for queue in left:
            await act(queue)

    async with trio.open_nursery() as nursery:
        for _ in range(_AT_ONCE):
            nursery.start_soon(act_on_what_is_left)
