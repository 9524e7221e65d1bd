"""When the supervisor starts a process again and what it says of all; on virtual time, no processes."""

import random
from collections.abc import AsyncGenerator, Iterator
from contextlib import asynccontextmanager
from itertools import pairwise
from typing import Any

import pytest
import structlog
import trio
from trio.testing import MockClock

from penstock.deploy import overview, supervisor
from penstock.deploy.lifeline import Birth
from penstock.deploy.overview import Overview
from penstock.deploy.settings import Settings
from penstock.deploy.supervisor import HEALTHY, RESTART, ProcessesFailed, Supervisor
from penstock.engine.errors import ConfigurationError
from penstock.telemetry.metrics.families import Metrics
from penstock.telemetry.metrics.snapshot import Piece

LONG = 1_000_000.0


class Child:
    """Stands for a process that lives as long as it is told, or until it is told to drain."""

    def __init__(self, lives: float, code: int, complaint: str | None = None) -> None:
        self.pid = 7
        self.code = code
        self.ending = f"exit code {code}"
        self.complaint = complaint
        self.ready = True
        self.answers = True
        self.pieces = [Piece("done_total", "", "counter", [("", 1)]), Piece("held", "", "gauge", [("", 1)])]
        self.drained = False
        self._lives = lives
        self._told = trio.Event()

    async def wait(self) -> None:
        with trio.move_on_after(self._lives):
            await self._told.wait()

    async def end(self, _grace: float) -> None:
        self.drained = True
        self._told.set()

    async def report(self) -> None:
        if not self.answers:
            await trio.sleep_forever()
        await trio.lowlevel.checkpoint()


class Births:
    """Children by the order of their birth, and when that was."""

    def __init__(self, children: Iterator[Child]) -> None:
        self._children = children
        self.born: list[tuple[float, int, Child]] = []

    @asynccontextmanager
    async def __call__(self, birth: Birth) -> AsyncGenerator[Child]:
        child = next(self._children)
        self.born.append((trio.current_time(), birth.index, child))
        yield child


def longest(_random: random.Random, _low: float, high: float) -> float:
    """Chance at its worst."""
    return high


def supervise(
    monkeypatch: pytest.MonkeyPatch, children: list[Child], processes: int
) -> tuple[Supervisor, Births]:
    births = Births(iter(children))
    monkeypatch.setattr(supervisor, "worker_process", births)
    return Supervisor(Settings(processes=processes), structlog.get_logger(), debug=False), births


async def test_restarts_come_slower_until_one_has_lived_well(
    autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The bound of the pause doubles with each early end and is back at its beginning after a long life."""
    monkeypatch.setattr(random.Random, "uniform", longest)
    short = [Child(1, 3) for _ in range(8)]
    crew, births = supervise(monkeypatch, [*short, Child(HEALTHY, 3), Child(LONG, 0)], processes=1)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(crew.run)
        with trio.fail_after(1000):
            while len(births.born) < 10:  # noqa: ASYNC110 - virtual
                await trio.sleep(1)
        crew.drain()

    times = [when for when, _, _ in births.born]
    pauses = [later - earlier for earlier, later in pairwise(times)]
    assert [pause - 1 for pause in pauses[:8]] == pytest.approx([1, 2, 4, 8, 16, 30, 30, 30])
    assert pauses[8] - HEALTHY == pytest.approx(RESTART.ceiling(1))
    assert crew.slots[0].restarts == 9


async def test_one_that_cannot_work_as_called_drains_all(
    autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its reason becomes everybody's; the others may finish what they run."""
    others = Child(LONG, 0)
    crew, births = supervise(monkeypatch, [Child(1, 2, "no such APP"), others], processes=2)

    with pytest.raises(ConfigurationError, match="no such APP"):
        await crew.run()
    assert others.drained
    assert len(births.born) == 2


async def test_a_drain_that_fails_is_told(autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that had to be killed, or failed, while it drained: which one, and how."""
    crew, _ = supervise(monkeypatch, [Child(LONG, 0), Child(LONG, 1)], processes=2)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(_drain_soon, crew)
        with pytest.raises(ProcessesFailed, match=r"worker process \d did not drain: exit code 1"):
            await crew.run()


async def test_ready_once_all_have_been(autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not before each process has been ready once; then as long as one is; never while draining."""
    one, other = Child(LONG, 0), Child(LONG, 0)
    crew, _ = supervise(monkeypatch, [one, other], processes=2)
    whole = Overview(crew, Metrics())

    async def ready(first: bool, second: bool) -> bool:
        one.ready, other.ready = first, second
        await whole.ask()
        return whole.ready

    async with trio.open_nursery() as nursery:
        nursery.start_soon(crew.run)
        await trio.testing.wait_all_tasks_blocked()
        assert not await ready(False, False)
        assert not await ready(True, False)
        assert await ready(False, True)  # each has been, though not at the same time
        assert not await ready(False, False)
        assert await ready(True, False)
        crew.drain()
        assert not whole.ready


async def test_counts_of_the_dead_stay_their_gauges_go(
    autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Three lives in one place: what they counted is added up; what they held is held no more."""
    crew, births = supervise(monkeypatch, [Child(1, 3), Child(1, 3), Child(LONG, 0)], processes=1)
    whole = Overview(crew, Metrics())
    async with trio.open_nursery() as nursery:
        nursery.start_soon(crew.run)
        with trio.fail_after(1000):
            while len(births.born) < 3:  # noqa: ASYNC110 - virtual
                await trio.sleep(1)
        found = {family.name: family for family in (await whole.gather()).families()}
        crew.drain()

    values: dict[str, Any] = {name: found[name].children() for name in ("done_total", "held")}
    assert values["done_total"][0].value == 3
    assert values["held"][0].value == 1


async def test_one_that_does_not_answer_costs_a_second(
    autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A scrape waits for it that long and no longer; what it said last counts."""
    mute = Child(LONG, 0)
    mute.answers = mute.ready = False
    crew, _ = supervise(monkeypatch, [mute, Child(LONG, 0)], processes=2)
    whole = Overview(crew, Metrics())
    async with trio.open_nursery() as nursery:
        nursery.start_soon(crew.run)
        await trio.testing.wait_all_tasks_blocked()
        began = trio.current_time()
        found = {family.name: family for family in (await whole.gather()).families()}
        assert trio.current_time() - began == pytest.approx(overview.ANSWER_WITHIN)
        crew.drain()

    [done] = found["done_total"].children()
    states = {child.labels: child.value for child in found["penstock_worker_processes"].children()}  # type: ignore[union-attr]
    assert done.value == 2  # type: ignore[union-attr]
    assert states == {'state="wanted"': 2, 'state="running"': 2, 'state="answering"': 1, 'state="ready"': 1}


async def _drain_soon(crew: Supervisor) -> None:
    await trio.testing.wait_all_tasks_blocked()
    crew.drain()
