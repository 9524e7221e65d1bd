"""What a supervisor answers for all its worker processes: `/metrics` as their sum, and `/readyz`."""

from collections.abc import Iterable, Sequence

import trio

from penstock.deploy.supervisor import Slot, Supervisor
from penstock.telemetry.metrics.children import Counter, Gauge
from penstock.telemetry.metrics.families import Metrics
from penstock.telemetry.metrics.snapshot import Piece, pieces
from penstock.telemetry.metrics.summed import Sum

ANSWER_WITHIN = 1.0
"""Seconds a process has to say how it is; one that does not is counted as it was when it last did."""


class Overview:
    """Asks the worker processes, all at once, whenever somebody wants to know."""

    def __init__(self, supervisor: Supervisor, metrics: Metrics) -> None:
        """`metrics` are the supervisor's own; what the store says is in them and nowhere else."""
        self._supervisor = supervisor
        self._metrics = metrics
        self._were_ready: set[int] = set()
        registry = metrics.registry
        self._processes = Gauge(
            registry, "penstock_worker_processes", "Processes of this supervisor, by state.", ("state",)
        )
        self._restarts = Counter(
            registry,
            "penstock_worker_process_restarts_total",
            "Processes started in place of one that ended.",
        )

    @property
    def ready(self) -> bool:
        """As of the last `ask`: each place has had a ready process once, one is ready now, none drains.

        So a rollout waits until all have started, and a later crash of one takes nobody out of service.
        """
        slots = self._supervisor.slots
        return (
            not self._supervisor.draining
            and len(self._were_ready) == len(slots)
            and any(slot.child is not None and slot.child.ready for slot in slots)
        )

    async def ask(self) -> None:
        """Have every process say how it is, within `ANSWER_WITHIN` seconds."""
        with trio.move_on_after(ANSWER_WITHIN):
            async with trio.open_nursery() as nursery:
                for slot in self._supervisor.slots:
                    if slot.child is not None:
                        nursery.start_soon(slot.child.report)
        self._were_ready.update(
            slot.index for slot in self._supervisor.slots if slot.child is not None and slot.child.ready
        )

    async def gather(self) -> Sum:
        """The sum over all processes, those that have ended included, and this one."""
        await self.ask()
        slots = self._supervisor.slots
        self._count(slots)
        # Taken in one step: a process that ends meanwhile is counted once.
        parts: list[Iterable[Piece]] = [pieces(self._metrics.registry)]
        for slot in slots:
            parts += [slot.left, slot.child.pieces if slot.child is not None else ()]
        total = Sum()
        for part in parts:
            for piece in part:
                total.add(piece)
                await trio.lowlevel.checkpoint()
        return total

    def _count(self, slots: Sequence[Slot]) -> None:
        running = [slot.child for slot in slots if slot.child is not None]
        states = {
            "wanted": len(slots),
            "running": len(running),
            "answering": sum(child.answers for child in running),
            "ready": sum(child.ready for child in running),
        }
        for state, count in states.items():
            self._processes.labels(state).set(count)
        self._restarts.labels().value = sum(slot.restarts for slot in slots)
