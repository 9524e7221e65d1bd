"""Faults planted in the store in memory: one of its decisions replaced by another."""

from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from penstock.engine.memory_store import MemoryStore, claiming, leasing, settling
from penstock.engine.memory_store.state import Hold, QueueState
from penstock.engine.store import Claim, Released, Settlement, Verdict


class MemoryPlant(msgspec.Struct, frozen=True):
    """Instead of `decision` the store in memory takes `fault`; `breaks` is the rule that must tell."""

    name: str
    decision: Callable[..., Any]  # of any signature: it is only compared
    fault: Callable[..., Any]
    breaks: str

    def __str__(self) -> str:
        return self.name


class Planted(MemoryStore):
    """A store in memory with one fault."""

    def __init__(self, plant: MemoryPlant, clock: Callable[[], int]) -> None:
        super().__init__(clock)
        self._plant = plant

    async def _step(self, queue: str, decide: Any, *args: Any, **kwargs: Any) -> Any:
        chosen = self._plant.fault if decide is self._plant.decision else decide
        return await super()._step(queue, chosen, *args, **kwargs)


def _settle_for_anybody(
    queue: QueueState, now: int, worker: str, settlements: Sequence[Settlement]
) -> list[Verdict]:
    """As if whoever sends it were the holder."""
    for one in settlements:
        if (hold := queue.running.get(one.suffix)) is not None:
            queue.running[one.suffix] = Hold(worker, one.token, hold.number, hold.since)
    return settling.settle(queue, now, worker, settlements)


def _forget_what_was_held(queue: QueueState, now: int, worker: str) -> Released:
    released = Released([suffix for suffix, _ in queue.held_by(worker)])
    queue.forget(worker)
    return released


def _drop(queue: QueueState, now: int, worker: str, held: Sequence[tuple[str, int]]) -> Released:
    released = [suffix for suffix, token in held if queue.holds(worker, suffix, token)]
    for suffix in released:
        del queue.running[suffix]
    return Released(released)


def _claim_with_an_old_token(
    queue: QueueState, now: int, worker: str, number: int, count: int, **how: bool
) -> Claim | None:
    queue._last_token = 0
    return claiming.claim(queue, now, worker, number, count, **how)


PLANTS = [
    MemoryPlant("anybody may settle", settling.settle, _settle_for_anybody, "settled by the holder"),
    MemoryPlant("who leaves keeps what it held", leasing.leave, _forget_what_was_held, "nothing lost"),
    MemoryPlant("what is released is dropped", claiming.release, _drop, "nothing lost"),
    MemoryPlant("tokens start again", claiming.claim, _claim_with_an_old_token, "a token once"),
]
