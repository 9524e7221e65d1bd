"""A small world on virtual time: workers come, stall, crash and leave, jobs must end once all the same."""

import random
from collections.abc import Callable
from functools import partial

import trio
from trio.testing import MockClock

from benchmarks.history import Record, Recorder, RecordingStore, Violation, check
from penstock.engine import Registry
from penstock.engine.memory_store import MemoryStore
from penstock.engine.store import Store
from simulation.deterministic import deterministic
from simulation.life import Life
from simulation.submitters import Submitter, cancel_some
from simulation.wire import Weather, Wire
from simulation.work import QUEUE, make_modules
from support.work import virtual_clock

TROUBLE = 60.0
"""Seconds in which things go wrong."""
CALM = 600.0
"""Seconds within which everything must have ended after that."""
WORKERS = 4  # at once


class World:
    """One seed's world; `run` plays it."""

    def __init__(self, chance: random.Random, store: Store) -> None:
        self.history: list[Record] = []
        self._chance = chance
        self._weather = Weather(store)
        self._modules = make_modules(self._kill)
        self._lives: list[Life] = []
        self._now = 0
        self._harness = self._recorder("harness")
        registry = Registry(self._modules)
        self._submitters = [
            Submitter(name, self._way(name), registry, chance) for name in ("submitter-1", "submitter-2")
        ]

    def _recorder(self, name: str, alive: Callable[[], bool] = lambda: True) -> Recorder:
        """Into the one history; a process that does not live any more records nothing."""

        def write(record: Record) -> None:
            if alive():
                self.history.append(record)

        return Recorder(name, write, self._tick)

    def _tick(self) -> int:
        """Nanoseconds that never stand still, so that what happens at one moment is in order too."""
        self._now = max(self._now + 1, int(trio.current_time() * 1e9))
        return self._now

    def _way(self, name: str) -> Store:
        """To the store, for one who submits or cancels."""
        return RecordingStore(Wire(self._weather, self._chance), self._recorder(name))

    # --- what happens ----------------------------------------------------------------------

    async def run(self) -> None:
        """Trouble, then calm until everything has ended, then a last look at each job."""
        async with trio.open_nursery() as workers:
            async with trio.open_nursery() as submitters:
                for submitter in self._submitters:
                    submitters.start_soon(submitter.run)
                with trio.move_on_after(TROUBLE):
                    async with trio.open_nursery() as trouble:
                        trouble.start_soon(
                            cancel_some, self._way("canceller"), self._submitters, self._chance
                        )
                        trouble.start_soon(self._trouble, workers)
                self._weather.loss = 0.0
            await self._calm(workers)
            workers.cancel_scope.cancel()
        for submitter in self._submitters:
            await self._harness.final(self._weather.inner, QUEUE, submitter.sent)

    async def _trouble(self, workers: trio.Nursery) -> None:
        for _ in range(self._chance.randint(1, 3)):
            self._start(workers)
        self._weather.loss = self._chance.choice([0.0, 0.02, 0.2])
        events: list[Callable[[], None]] = [
            partial(self._start, workers),
            partial(self._start, workers),
            lambda: self._crash(self._somebody()),
            lambda: self._somebody().leave(),
            lambda: self._somebody().wire.stall(self._chance.uniform(2, 15)),
            lambda: self._somebody().wire.stall(self._chance.uniform(15, 50)),
            lambda: self._somebody().wire.stall(self._chance.uniform(15, 50)),
            lambda: self._weather.outage(self._chance.uniform(1, 20)),
        ]
        while True:
            await trio.sleep(self._chance.expovariate(0.2))
            self._chance.choice(events)()

    async def _calm(self, workers: trio.Nursery) -> None:
        """Wait for the end of every job, with somebody there who knows them all."""
        with trio.move_on_after(CALM):
            while await self._unfinished():
                if not any(life.stays(self._modules) for life in self._lives):
                    self._start(workers, knows_all=True)
                await trio.sleep(2)

    async def _unfinished(self) -> bool:
        facts = await self._weather.inner.facts(QUEUE)
        return facts.ready + facts.scheduled + facts.running > 0

    # --- workers -----------------------------------------------------------------------------

    def _start(self, workers: trio.Nursery, *, knows_all: bool = False) -> None:
        if not knows_all and sum(life.alive for life in self._lives) >= WORKERS:
            return
        modules = self._modules if knows_all or self._chance.random() < 0.8 else self._modules[:1]
        wire = Wire(self._weather, self._chance)
        life = Life(f"life-{len(self._lives)}", wire, modules, self._chance)
        self._lives.append(life)
        workers.start_soon(life.run, self._recorder(life.name, lambda: life.alive))

    def _somebody(self) -> Life:
        """One of those who live, rather a busy one, else of the dead: nothing happens to them any more."""
        living = [life for life in self._lives if life.alive] or self._lives
        return max(self._chance.choices(living, k=2), key=lambda life: life.busy)

    def _crash(self, life: Life) -> None:
        if life.crash():
            self._harness.crashed(life.name)

    def _kill(self, worker: str) -> None:
        """A job takes down the worker that runs it."""
        for life in self._lives:
            if life.name == worker.rpartition("-")[0]:
                self._crash(life)


def simulate(seed: int, store: Store | None = None) -> tuple[list[Record], list[Violation]]:
    """Play one world; its history, and what is wrong with it."""
    with deterministic(seed) as chance:
        world = World(chance, store if store is not None else MemoryStore(virtual_clock))
        trio.run(world.run, clock=MockClock(autojump_threshold=0))
    return world.history, check(world.history)
