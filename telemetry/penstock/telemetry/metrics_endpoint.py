"""What a scrape gets: the store's facts refreshed, the registry rendered, without holding up the loop."""

import time
from collections.abc import Awaitable, Callable
from typing import Protocol

import trio

from penstock.engine.errors import PenstockError
from penstock.engine.store import QueueFacts
from penstock.telemetry.exposition import Format, negotiate, render
from penstock.telemetry.metrics import Metrics
from penstock.telemetry.snapshot import Families

STORE_TIMEOUT = 1.0
"""Seconds the store has to answer; a scrape is due within ten by default and also tells that it is down."""
FRESH = 1.0
"""Seconds an answer is reused: several scrapers cost no more than one."""
_SLICE = 0.0005  # seconds of rendering before others may run; half of what a request may be delayed


class FactSource(Protocol):
    """The part of `penstock.engine.store.Store` that a scrape reads."""

    async def queues(self) -> list[str]:
        """Every queue there is."""
        ...

    async def facts(self, queue: str) -> QueueFacts:
        """Depths and ages of one queue."""
        ...


class MetricsEndpoint:
    """Answers scrapes: `body, content_type = await endpoint(accept)`. Needs Trio.

    Never fails because of the store: without it the queues' gauges are left out and `penstock_store_up` is 0.
    """

    def __init__(
        self, metrics: Metrics, store: FactSource, gather: Callable[[], Awaitable[Families]] | None = None
    ) -> None:
        """Answer with `metrics`, or with what `gather` makes of them once they are fresh.

        `gather` adds other processes' to them; it bounds its own time.
        """
        self._metrics = metrics
        self._store = store
        self._gather = gather
        self._one_at_a_time = trio.Lock()
        self._answers: dict[Format, tuple[float, bytes]] = {}
        self._asked = -FRESH

    async def __call__(self, accept: str = "") -> tuple[bytes, str]:
        """The metrics in the format that `accept` (an `Accept` header) prefers, and its content type."""
        form = negotiate(accept)
        async with self._one_at_a_time:
            when, body = self._answers.get(form, (-FRESH, b""))
            if trio.current_time() - when >= FRESH:
                await self._refresh()
                body = await self._render(await self._families(), form)
                self._answers[form] = (trio.current_time(), body)
        return body, form.value

    async def _refresh(self) -> None:
        if trio.current_time() - self._asked < FRESH:
            return  # the other format has just been asked for
        facts = await self._ask()
        self._asked = trio.current_time()
        queues = self._metrics.queues
        queues.clear()
        queues.store_up.labels().set(0 if facts is None else 1)
        for queue in facts or ():
            self._show(queue)

    async def _ask(self) -> list[QueueFacts] | None:
        """All queues' facts, or None: half of them would read as if the others were empty."""
        with trio.move_on_after(STORE_TIMEOUT):
            try:
                return [await self._store.facts(queue) for queue in await self._store.queues()]
            except PenstockError:
                return None
        return None

    def _show(self, facts: QueueFacts) -> None:
        queues, queue = self._metrics.queues, facts.queue
        for state in ("ready", "scheduled", "running", "dead"):
            queues.jobs.labels(queue, state).set(getattr(facts, state))
        ages = {"ready": facts.oldest_ready, "running": facts.oldest_running, "scheduled": facts.next_due}
        for state, since in ages.items():
            age = 0 if since is None else max(facts.now - since, 0) / 1000
            queues.oldest.labels(queue, state).set(age)
        queues.workers.labels(queue).set(facts.workers)

    async def _families(self) -> Families:
        for copy_in in self._metrics.before_scrape:
            copy_in()
        return self._metrics.registry if self._gather is None else await self._gather()

    async def _render(self, families: Families, form: Format) -> bytes:
        done: list[bytes] = []
        pieces: list[str] = []
        began = time.perf_counter()
        for piece in render(families, form):
            pieces.append(piece)
            if time.perf_counter() - began > _SLICE:
                done.append("".join(pieces).encode())
                pieces.clear()
                await trio.lowlevel.checkpoint()
                began = time.perf_counter()
        done.append("".join(pieces).encode())
        return b"".join(done)
