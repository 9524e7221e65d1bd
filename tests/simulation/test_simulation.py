"""A thousand worlds full of trouble on virtual time, and every history keeps every rule."""

from functools import partial

import pytest

from benchmarks.history import Record, Violation
from history.memory_plants import PLANTS, MemoryPlant, Planted
from penstock.engine.memory_store.leasing import leave
from simulation.seeds import chosen, play
from simulation.world import simulate
from support.work import virtual_clock

QUICK = 16
"""Chunks of worlds in `make test`; the others are `make slow`'s."""


@pytest.mark.parametrize(
    "seeds",
    [
        pytest.param(seeds, marks=[pytest.mark.slow] if at >= QUICK else [])
        for at, seeds in enumerate(chosen())
    ],
    ids=lambda seeds: f"{seeds.start}-{seeds.stop - 1}",
)
def test_whatever_happens_to_the_workers_every_job_ends_once(seeds: range) -> None:
    """Crashes, stalls longer than a lease, outages, lost answers, drains, deadly jobs, cancellations."""
    play(seeds)


def test_a_seed_is_the_same_world_each_time() -> None:
    """Down to the last record: what a seed showed it shows again."""
    assert simulate(7)[0] == simulate(7)[0]
    assert simulate(7)[0] != simulate(8)[0]


def with_fault(plant: MemoryPlant, seed: int) -> tuple[list[Record], list[Violation]]:
    """The world of `seed` on a store that has a fault."""
    return simulate(seed, Planted(plant, virtual_clock))


@pytest.mark.parametrize("plant", [plant for plant in PLANTS if plant.decision is not leave], ids=str)
def test_a_fault_is_met_and_its_seed_told(plant: MemoryPlant) -> None:
    """Within a few worlds the fault shows; the message names the seed, which shows it again.

    A worker of today releases everything before it leaves, so a fault in leaving shows to nobody.
    """
    planted = partial(with_fault, plant)
    with pytest.raises(AssertionError, match=r"play it again: PENSTOCK_SEED=(\d+) ") as failed:
        play(range(60), planted)
    seed = int(str(failed.value).split()[1])
    with pytest.raises(AssertionError) as again:
        play([seed], planted)
    assert str(again.value) == str(failed.value)
