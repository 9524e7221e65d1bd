"""What a scrape gets: the store's facts refreshed, the registry rendered, without holding up the loop."""

import time
from collections.abc import Awaitable, Callable, Generator
from contextlib import contextmanager
from typing import Literal

import trio

from penstock.telemetry.metrics.exposition import Format, negotiate, render
from penstock.telemetry.metrics.families import Metrics
from penstock.telemetry.metrics.queue_reports import FactSource, QueueReports
from penstock.telemetry.metrics.snapshot import Families

__all__ = ["FactSource", "MetricsEndpoint"]

FRESH = 1.0
"""Seconds an answer is reused: several scrapers cost no more than one."""
_SLICE = 0.0005  # seconds of rendering before others may run; half of what a request may be delayed


class MetricsEndpoint:
    """Answers scrapes: `body, content_type = await endpoint(accept)`. Needs Trio.

    Never fails because of the store: without it the queues' gauges are left out and `penstock_store_up` is 0.
    They are left out, too, while another process tells about the queue (`metrics/queue_reports.py`).
    """

    def __init__(
        self, metrics: Metrics, store: FactSource, gather: Callable[[], Awaitable[Families]] | None = None
    ) -> None:
        """Answer with `metrics`, or with what `gather` makes of them once they are fresh.

        `gather` adds other processes' to them; it bounds its own time.
        """
        self._metrics = metrics
        self._reports = QueueReports(metrics.queues, store)
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
                with self._timed("gather"):
                    families = await self._families()
                with self._timed("render"):
                    body = await self._render(families, form)
                self._answers[form] = (trio.current_time(), body)
        return body, form.value

    async def resign(self) -> None:
        """At the end of the process: let another tell about the queues at once. See `QueueReports.resign`."""
        self._answers.clear()
        await self._reports.resign()

    async def _refresh(self) -> None:
        if trio.current_time() - self._asked < FRESH:
            return  # the other format has just been asked for
        with self._timed("store"):
            await self._reports.refresh()
        self._asked = trio.current_time()

    @contextmanager
    def _timed(self, step: Literal["store", "gather", "render"]) -> Generator[None]:
        began = trio.current_time()
        yield
        self._metrics.queues.scrape.labels(step).set(trio.current_time() - began)

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
