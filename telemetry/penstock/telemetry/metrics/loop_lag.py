"""How late the event loop does what is due: the first thing that a handler which blocks it shows in."""

from collections.abc import Callable

import trio

from penstock.telemetry.metrics.series import HistogramChild

INTERVAL = 0.5
"""Seconds between looks: two a second cost nothing, and what holds the loop for a tenth of the interval is
met by one look in ten."""


async def watch(
    lag: HistogramChild, *, interval: float = INTERVAL, each: Callable[[], object] = bool
) -> None:
    """Sleep, count into `lag` by how many seconds the waking came late, call `each`; until cancelled.

    Both times are Trio's clock. Late includes one turn of all that was ready to run.
    """
    while True:
        due = trio.current_time() + interval
        await trio.sleep_until(due)
        lag.observe(max(trio.current_time() - due, 0.0))
        each()
