"""`penstock worker --processes N`: keeps N worker processes alive and drains them as one."""

import random
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import msgspec
import trio
from structlog.typing import FilteringBoundLogger

from penstock.deploy.lifeline import Birth
from penstock.deploy.settings import Settings
from penstock.deploy.worker_process import MISUSED, WorkerProcess, worker_process
from penstock.engine.errors import ConfigurationError, PenstockError
from penstock.engine.retry import Backoff
from penstock.telemetry.metrics.snapshot import Piece, pieces
from penstock.telemetry.metrics.summed import Sum

RESTART = Backoff(base=1.0, cap=30.0)
"""Seconds until a process that ended is started again; jitter, because what took one down takes all."""
HEALTHY = 60.0
"""Seconds of life after which an end counts as the first one."""


class ProcessesFailed(PenstockError):
    """Worker processes did not end well when they were told to drain."""


class Slot:
    """One of the N places: the process that has it now, and what those before it have left."""

    def __init__(self, index: int) -> None:
        self.index = index
        self.child: WorkerProcess | None = None
        self.left: list[Piece] = []
        """What processes that have ended had counted. Replaced, never changed: others may hold it."""
        self.restarts = 0

    def retire(self, child: WorkerProcess) -> None:
        """Keep the counts of a process that has ended; counters do not go backwards."""
        left = Sum()
        for piece in (*self.left, *child.pieces):
            if piece.kind != "gauge":
                left.add(piece)
        self.left = list(pieces(left))
        self.child = None


class Supervisor:
    """Runs the worker processes of one command."""

    def __init__(self, settings: Settings, log: FilteringBoundLogger, *, debug: bool) -> None:
        self.slots = [Slot(index) for index in range(1, settings.processes + 1)]
        self._settings = msgspec.structs.replace(settings, processes=1, metrics_bind=None)
        self._debug = debug
        self._random = random.Random()
        self._drain = trio.Event()
        self._misused: str | None = None
        self._failed: list[str] = []
        self._log = log

    @property
    def draining(self) -> bool:
        """Whether it has been told to drain, or a process has said that it cannot work as it was called."""
        return self._drain.is_set()

    def drain(self) -> None:
        """Have every process drain; `run` returns when all have ended."""
        self._drain.set()

    async def run(self) -> None:
        """Keep the processes alive until told to drain. Cancelled it stops them at once, bounded in time.

        Raises:
            ConfigurationError: a process said that it cannot work as it was called; the others drained.
            ProcessesFailed: some had to be killed or failed while they drained.
        """
        async with trio.open_nursery() as nursery:
            for slot in self.slots:
                nursery.start_soon(self._keep, slot)
        if self._misused is not None:
            raise ConfigurationError(self._misused)
        if self._failed:
            raise ProcessesFailed("; ".join(self._failed))

    async def _keep(self, slot: Slot) -> None:
        failures = 0
        while not self._drain.is_set():
            began = trio.current_time()
            ended = await self._run_one(slot)
            lived = trio.current_time() - began
            failures = 1 if lived >= HEALTHY else failures + 1
            if self._drain.is_set():
                return
            delay = RESTART.delay(failures, self._random)
            self._log.warning(
                "worker process ended, starting another",
                process=slot.index,
                **ended,
                lived=round(lived, 3),
                delay=round(delay, 3),
            )
            slot.restarts += 1
            with trio.move_on_after(delay):
                await self._drain.wait()

    async def _run_one(self, slot: Slot) -> dict[str, object]:
        """Run a process to its end; what there is to say about that end."""
        try:
            async with self._process(slot) as child:
                await self._until_ended(child)
        except OSError as error:  # the machine is short of memory or of processes; it may not stay so
            return {"ending": "not started", "error": str(error)}
        ended: dict[str, object] = {"pid": child.pid, "ending": child.ending}
        if child.complaint is not None:
            ended["error"] = child.complaint
        if child.code == MISUSED and child.complaint is not None:
            self._misused = self._misused or child.complaint
            self._drain.set()
        elif child.code and self._drain.is_set():
            self._log.error("worker process did not drain", process=slot.index, **ended)
            self._failed.append(f"worker process {slot.index} did not drain: {child.ending}")
        return ended

    @asynccontextmanager
    async def _process(self, slot: Slot) -> AsyncGenerator[WorkerProcess]:
        birth = Birth(self._settings, slot.index, self._debug)
        async with worker_process(birth) as child:
            slot.child = child
            self._log.info("worker process started", process=slot.index, pid=child.pid)
            try:
                yield child
            finally:
                slot.retire(child)

    async def _until_ended(self, child: WorkerProcess) -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._drain_when_told, child)
            await child.wait()
            nursery.cancel_scope.cancel()

    async def _drain_when_told(self, child: WorkerProcess) -> None:
        await self._drain.wait()
        await child.end(self._settings.grace)
