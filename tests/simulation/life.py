"""One worker process of the simulated world."""

import random
from collections.abc import Sequence

import trio

from benchmarks.history import Recorder, RecordingStore
from penstock.engine import Module, Observers, Registry, Seams, Worker, WorkerSettings
from simulation.deterministic import seed_worker
from simulation.wire import Wire


class Life:
    """From its start to its end; `recorder` is muted when `alive` is not true any more."""

    def __init__(self, name: str, wire: Wire, modules: Sequence[Module], chance: random.Random) -> None:
        self.name = name
        self.wire = wire
        self.scope = trio.CancelScope()
        self.alive = True
        self._modules = modules
        self._chance = chance
        self._worker: Worker | None = None

    async def run(self, recorder: Recorder) -> None:
        """Live; ends with the worker's own end, or by `crash`."""
        worker = self._worker = Worker(
            RecordingStore(self.wire, recorder),
            Registry(self._modules),
            settings=self._settings(),
            seams=Seams(Observers(recorder.observe)),
        )
        worker.name = self.name  # which says neither host nor process: the same everywhere
        seed_worker(worker, self._chance)
        with self.scope:
            await worker.run()
        self.alive = False

    def _settings(self) -> WorkerSettings:
        chance = self._chance
        return WorkerSettings(
            concurrency=chance.randint(1, 3), lease=chance.choice([6, 9, 12]), grace=chance.uniform(0, 8)
        )

    @property
    def busy(self) -> int:
        """How many jobs it runs."""
        shift = self._worker._shift if self._worker is not None else None
        return shift.running if shift is not None else 0

    def stays(self, modules: Sequence[Module]) -> bool:
        """Whether every job of these modules can be left to it."""
        draining = self._worker is not None and self._worker._drain.is_set()
        return self.alive and not draining and len(self._modules) == len(modules)

    def leave(self) -> None:
        """Be told to drain, to stop, or be cancelled."""
        if self._worker is not None:
            self._chance.choice([self._worker.drain, self._worker.stop, self.scope.cancel])()

    def crash(self) -> bool:
        """As SIGKILL does: nothing more is sent, recorded or run. False where it had ended already."""
        was, self.alive = self.alive, False
        self.wire.cut()
        self.scope.cancel()
        return was
