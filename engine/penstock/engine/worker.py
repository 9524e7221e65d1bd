"""The worker: one nursery, its loops, drain and stop."""

import os
import random
import socket
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import trio

from penstock.engine.claimer import Claimer
from penstock.engine.consumer import consume
from penstock.engine.errors import ConfigurationError, StoreUnavailable
from penstock.engine.events import WorkerDraining, WorkerStarted, WorkerStopped
from penstock.engine.fetcher import Fetcher
from penstock.engine.heartbeat import BEATS, Heartbeat
from penstock.engine.listener import listen
from penstock.engine.module_runtime import ailments, open_resources
from penstock.engine.names import check_queue
from penstock.engine.periodic import Periodic
from penstock.engine.reaper import Reaper
from penstock.engine.registry import Registry
from penstock.engine.runner import Runner
from penstock.engine.scheduler import schedule
from penstock.engine.seams import Seams
from penstock.engine.shift import Shift
from penstock.engine.store import Store
from penstock.engine.supervision import Supervisor
from penstock.engine.worker_settings import WorkerSettings

FLUSH_SECONDS = 5.0
"""How long the last settlements may take, and then the good-bye, before others' reapers see to them."""
JOIN_SECONDS = 1.0
"""How long a starting worker waits for the rest of its queues when one has answered."""


class Worker:
    """Takes jobs of some queues and runs them until it is told to drain."""

    def __init__(
        self,
        store: Store,
        registry: Registry,
        queues: Sequence[str] | None = None,
        settings: WorkerSettings | None = None,
        seams: Seams | None = None,
        provided: Mapping[type[Any], object] | None = None,
    ) -> None:
        """Prepare a worker; `queues` are those that the registry's jobs name where none are given.

        `provided` is, by type, what jobs and lifespans may ask for beside what lifespans yield.

        Raises:
            ConfigurationError: there is no queue to work on, or something asks for what nothing provides.
        """
        self.settings = settings if settings is not None else WorkerSettings()
        self.queues = [check_queue(queue) for queue in (registry.queues() if queues is None else queues)]
        if not self.queues:
            raise ConfigurationError("no queue to work on: no job is declared and no queue is named")
        self.name = f"{socket.gethostname()}-{os.getpid()}-{random.getrandbits(24):06x}"
        self._store = store
        self._seams = seams if seams is not None else Seams()
        self._registry = registry
        self._provided = {**registry.defaults(), Seams: self._seams, **(provided or {})}
        registry.check_needs(self._provided)
        self._runner = Runner(registry, self._seams)
        pause = self.settings.lease / BEATS
        self._supervisor = Supervisor(store, self._seams.observers, random.Random(), pause)
        self._shift: Shift | None = None
        self._drain = trio.Event()
        self._stop = trio.Event()
        self._started = False

    @property
    def ready(self) -> bool:
        """Has reached the store within the lease and is not draining: the readiness probe's answer."""
        shift = self._shift
        if shift is None or shift.lost or self._drain.is_set():
            return False
        oldest = trio.current_time() - self.settings.lease
        return all(shift.beaten.get(queue, 0.0) > oldest for queue in self.queues)

    def drain(self) -> None:
        """Stop claiming, give back what has not started, let the rest finish within the grace period."""
        self._drain.set()

    def stop(self) -> None:
        """Cancel what runs, give it back, and end at once."""
        self._drain.set()
        self._stop.set()

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Work until drained or stopped. Started when the leases are held and wake-ups are heard.

        Modules' lifespans are opened before, and closed when no job runs any more. Cancelled from outside it
        gives back what it held, bounded in time. Raises `ModuleFailed`.
        """
        lifespans = self._registry.lifespans
        async with open_resources(lifespans, self._provided, self._seams) as self._runner.resources:
            await self._run(task_status)

    async def ailments(self) -> list[str]:
        """What modules say is wrong with them; see `Module.health`."""
        return await ailments(self._registry.health_checks, self._runner.resources)

    async def _run(self, task_status: trio.TaskStatus[None]) -> None:
        lost, shifts = True, 0
        while lost:
            shifts += 1
            self._shift = Shift(self._store, self.queues, f"{self.name}-{shifts}", self.settings, self._seams)
            await self._work(self._shift, task_status)
            lost = self._shift.lost and not self._drain.is_set()
        self._shift = None
        if not self._started:  # drained before it could begin
            task_status.started()

    async def _work(self, shift: Shift, task_status: trio.TaskStatus[None]) -> None:
        """One shift, from joining to leaving."""
        joined = crashed = False
        try:
            with shift.scope:
                if not (joined := await self._join(shift)):
                    return
                claimers = {queue: Claimer(shift, queue) for queue in shift.queues}
                async with trio.open_nursery() as upkeep:
                    flushed = await self._start_upkeep(upkeep, shift, claimers)
                    if not self._started:
                        self._started = True
                        task_status.started()
                    self._seams.observers.emit(
                        WorkerStarted(shift.worker, shift.queues, self.settings.concurrency)
                    )
                    await self._run_jobs(shift, list(claimers.values()))
                    shift.close_settlers()
                    with trio.move_on_after(FLUSH_SECONDS):
                        await flushed.wait()
                    upkeep.cancel_scope.cancel()
        except BaseException as error:
            crashed = not _only_cancelled(error)
            raise
        finally:
            await self._leave(shift, crashed=crashed)
            if joined:
                self._seams.observers.emit(WorkerStopped(shift.worker))

    async def _join(self, shift: Shift) -> bool:
        """Take the leases, waiting for the store if need be; False when told to drain meanwhile.

        When one queue has answered, the others get a moment: later they are taken up when they answer.
        """
        async with trio.open_nursery() as waiting:
            waiting.start_soon(self._cancel_when_draining, waiting.cancel_scope)
            async with trio.open_nursery() as joining:
                for queue in shift.queues:
                    joining.start_soon(self._join_one, shift, queue, joining.cancel_scope)
            waiting.cancel_scope.cancel()
        return not self._drain.is_set()

    async def _join_one(self, shift: Shift, queue: str, joining: trio.CancelScope) -> None:
        await self._supervisor.keep("join", partial(shift.join, queue))
        joining.deadline = min(joining.deadline, trio.current_time() + JOIN_SECONDS)

    async def _cancel_when_draining(self, scope: trio.CancelScope) -> None:
        await self._drain.wait()
        scope.cancel()

    async def _start_upkeep(
        self, nursery: trio.Nursery, shift: Shift, claimers: Mapping[str, Claimer]
    ) -> trio.Event:
        """Start every loop but the fetcher and the consumers; the event tells that the settler has ended."""
        for queue in shift.queues:
            nursery.start_soon(self._look_after, nursery, shift, queue)
        flushed, listening = trio.Event(), trio.Event()
        receivers = {queue: claimer.receive for queue, claimer in claimers.items()}
        nursery.start_soon(self._settle, shift, flushed)
        nursery.start_soon(self._wind_down, shift, listening)
        nursery.start_soon(
            self._supervisor.keep, "listener", partial(listen, shift, receivers, listening.set)
        )
        await listening.wait()  # from here on no wake-up can be missed, or the fetcher knows
        return flushed

    async def _look_after(self, nursery: trio.Nursery, shift: Shift, queue: str) -> None:
        """Start one queue's loops, once there is a lease to look after."""
        keep = self._supervisor.keep
        if queue not in shift.beaten:
            await keep("join", partial(shift.join, queue))
        nursery.start_soon(keep, "heartbeat", Heartbeat(shift, queue).run)
        nursery.start_soon(keep, "scheduler", partial(schedule, shift, queue))
        nursery.start_soon(keep, "reaper", Reaper(shift, queue).run)
        if schedules := [each for each in self._registry.schedules if each.queue == queue]:
            nursery.start_soon(keep, "periodic", Periodic(shift, queue, schedules).run)

    async def _settle(self, shift: Shift, flushed: trio.Event) -> None:
        async with trio.open_nursery() as nursery:
            for settler in shift.settlers.values():
                nursery.start_soon(self._supervisor.keep, "settler", settler.run)
        flushed.set()

    async def _run_jobs(self, shift: Shift, claimers: Sequence[Claimer]) -> None:
        """Fetch and consume until drained."""
        keep = self._supervisor.keep
        async with trio.open_nursery() as nursery:
            for _ in range(self.settings.concurrency):
                nursery.start_soon(keep, "consumer", partial(consume, shift, self._runner))
            with shift.fetching:
                async with trio.open_nursery() as claims:
                    await keep("fetcher", Fetcher(shift, claimers, claims, self._supervisor).run)
            for claimer in claimers:
                nursery.start_soon(self._give_up, claimer)
            shift.buffer.close()

    async def _give_up(self, claimer: Claimer) -> None:
        with trio.move_on_after(FLUSH_SECONDS):  # later it is the good-bye's
            await self._supervisor.keep("fetcher", claimer.give_up)

    async def _wind_down(self, shift: Shift, listening: trio.Event) -> None:
        """Wait for the order to drain, then see that the grace period ends."""
        await self._drain.wait()
        shift.drain()
        listening.set()  # do not wait for a store that may be away
        grace = self.settings.grace
        if not self._stop.is_set():
            self._seams.observers.emit(WorkerDraining(shift.worker, shift.running, grace))
            with trio.move_on_after(grace):
                await self._stop.wait()
        shift.stop_running("shutdown")

    async def _leave(self, shift: Shift, *, crashed: bool) -> None:
        """Settle what is left and end the leases; whatever fails here the reaper of others makes good.

        A worker that crashed keeps its leases until they run out: the job that did it has to be counted.
        """
        # Shielded: a cancelled worker owes the others its jobs. Bounded: nobody waits for ever.
        shift.close_settlers()
        with trio.move_on_after(FLUSH_SECONDS, shield=True):
            async with trio.open_nursery() as nursery:
                for queue in shift.queues:
                    nursery.start_soon(self._leave_queue, shift, queue, crashed)

    async def _leave_queue(self, shift: Shift, queue: str, crashed: bool) -> None:
        settler = shift.settlers[queue]
        try:
            await settler.run()
            if not crashed:
                # In batches: leaving returns in one step what is left.
                shift.give_back_held(queue, "shutdown")
                await settler.run()
                await shift.store.leave(queue, shift.worker)
        except StoreUnavailable:
            return


def _only_cancelled(error: BaseException) -> bool:
    if isinstance(error, BaseExceptionGroup):
        return all(map(_only_cancelled, error.exceptions))
    return isinstance(error, trio.Cancelled)
