"""Whose turn it is among tenants is the store's to choose: the specification follows Redis where it may."""

from collections import Counter, defaultdict
from collections.abc import Generator
from contextlib import contextmanager
from copy import deepcopy

from penstock.engine.memory_store.lines import Line, ReadyLines
from penstock.engine.memory_store.state import QueueState


@contextmanager
def guided(queue: QueueState, chosen: list[str]) -> Generator[None]:
    """In here a claim that takes new jobs takes `chosen`; raises where no rule allows these jobs."""
    ready, copy = queue.ready, deepcopy(queue.ready)

    def take(count: int, *, suspect: bool) -> list[str]:
        _check(queue, ready, copy.take(count, suspect=suspect), chosen)
        for suffix in chosen:
            _line_of(queue, ready, suffix).remove((ready._numbers.pop(suffix), suffix))
        for rotation in ready._rotations.values():
            for tenant in [tenant for tenant, line in rotation.items() if not line]:
                del rotation[tenant]
        return chosen

    vars(ready)["take"] = take
    try:
        yield
    finally:
        del vars(ready)["take"]


def _line_of(queue: QueueState, ready: ReadyLines, suffix: str) -> Line:
    header = queue.jobs[suffix].header
    return ready._suspects if header.crashes else ready._rotations[header.priority][header.tenant]


def _check(queue: QueueState, ready: ReadyLines, own: list[str], chosen: list[str]) -> None:
    """As many, the same suspect, the same priorities; each lane from its head; tenants in turn."""
    ranks = [_rank(queue, suffix) for suffix in own]
    assert [_rank(queue, suffix) for suffix in chosen] == ranks, f"took {chosen}, the rules say {own}"
    taken: dict[tuple[int, str], list[str]] = defaultdict(list)
    for suffix in chosen:
        header = queue.jobs[suffix].header
        if not header.crashes:
            taken[header.priority, header.tenant].append(suffix)
    left = Counter[tuple[int, str]]()
    for priority, rotation in ready._rotations.items():
        for tenant, line in rotation.items():
            standing = [suffix for number, suffix in line if ready._numbers.get(suffix) == number]
            lane = taken[priority, tenant]
            assert standing[: len(lane)] == lane, f"took {lane} out of a line {standing}"
            left[priority, tenant] = len(standing) - len(lane)
    for (priority, tenant), jobs in taken.items():
        for other in (lane for lane in left if lane[0] == priority and left[lane] and not taken[lane]):
            assert len(jobs) <= 1, f"{tenant} had {len(jobs)} turns before {other[1]} had one"


def _rank(queue: QueueState, suffix: str) -> str:
    header = queue.jobs[suffix].header
    return f"suspect {suffix}" if header.crashes else f"priority {header.priority}"
