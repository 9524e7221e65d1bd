"""How late the loop is."""

import trio
from trio.testing import MockClock

from penstock.telemetry.metrics.families import Metrics
from penstock.telemetry.metrics.loop_lag import INTERVAL, watch
from penstock.telemetry.metrics.series import HistogramChild


def lag_of(metrics: Metrics) -> HistogramChild:
    return metrics.own.loop_lag.labels()


async def watched(clock: MockClock, stalls: dict[float, float]) -> HistogramChild:
    """What a watch of five seconds sees of a loop that is held from those times on for so many seconds."""
    lag = lag_of(Metrics())
    with trio.move_on_at(5.25):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(watch, lag)
            for at, length in stalls.items():
                await trio.sleep_until(at)
                clock.jump(length)  # as a handler does that computes and does not yield
    return lag


async def test_a_loop_that_is_free_is_not_late(autojump_clock: MockClock) -> None:
    """Every look falls into the first bucket."""
    lag = await watched(autojump_clock, {})

    assert lag.observations == 5 / INTERVAL
    assert lag.counts[0] == lag.observations
    assert lag.sum == 0


async def test_what_holds_the_loop_is_seen_by_how_late_it_was(autojump_clock: MockClock) -> None:
    """Held from 1.4 to 1.75 s, it does what was due at 1.5 s a quarter of a second late."""
    lag = await watched(autojump_clock, {1.4: 0.35})

    assert round(lag.sum, 6) == 0.25
    assert lag.counts[0] == lag.observations - 1  # all other looks were in time


async def test_what_falls_between_two_looks_is_not_seen(autojump_clock: MockClock) -> None:
    """The limit of it: a stall of a tenth of the interval is met by one look in ten."""
    lag = await watched(autojump_clock, {1.1: 0.05})

    assert lag.sum == 0
