"""Chance from one seed: the one place that knows where Trio and the engine take theirs from.

Trio runs the tasks of one tick in an order of its own chance, `trio._core._run._r`. It shuffles them
reproducibly where `_ALLOW_DETERMINISTIC_SCHEDULING` is set, as pytest-trio does for Hypothesis; without it
the order of a set decides. The engine takes chance from the module `random` and from generators that
`Worker` makes.
"""

import random
from collections.abc import Generator
from contextlib import contextmanager

import trio

from penstock.engine import Worker

FLAG = "_ALLOW_DETERMINISTIC_SCHEDULING"  # declared final, and meant to be set


@contextmanager
def deterministic(seed: int) -> Generator[random.Random]:
    """In here everything happens as `seed` will have it; gives a generator for the caller's own chance."""
    scheduler = trio._core._run
    before = scheduler._ALLOW_DETERMINISTIC_SCHEDULING, scheduler._r.getstate(), random.getstate()
    setattr(scheduler, FLAG, True)
    scheduler._r.seed(seed)
    random.seed(seed)
    try:
        yield random.Random(seed)
    finally:
        setattr(scheduler, FLAG, before[0])
        scheduler._r.setstate(before[1])
        random.setstate(before[2])


def seed_worker(worker: Worker, chance: random.Random) -> None:
    """Let a worker's own generators follow `chance`."""
    worker._supervisor._rng = random.Random(chance.random())
    worker._runner._rng = random.Random(chance.random())
