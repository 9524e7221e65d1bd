"""The checker finds nothing wrong with a store that works, and each of many faults planted on purpose."""

from collections.abc import Iterator

import pytest

from benchmarks.history import check
from history import lua_plants, memory_plants
from history.day import play
from history.lua_plants import LuaPlant
from history.memory_plants import MemoryPlant, Planted
from support.redis_server import ValkeyServer, valkey_server
from support.stores import MemoryHarness, memory_harness, redis_harness


@pytest.fixture(scope="module")
def server() -> Iterator[ValkeyServer]:
    """A server of these tests' own: their clock is a key."""
    with valkey_server() as running:
        yield running


async def test_nothing_is_wrong_with_the_store_in_memory() -> None:
    """A day full of lost answers and a crash, and no rule is broken."""
    async with memory_harness() as harness:
        history = await play(harness)
    assert len(history) > 100
    assert check(history) == []


async def test_nothing_is_wrong_with_the_store_on_redis(server: ValkeyServer) -> None:
    """The same day on the scripts as they are."""
    async with redis_harness(server.url) as harness:
        history = await play(harness)
    assert len(history) > 100
    assert check(history) == []


@pytest.mark.parametrize("plant", lua_plants.PLANTS, ids=str)
async def test_a_fault_in_a_script_is_found(server: ValkeyServer, plant: LuaPlant) -> None:
    """The script is changed as little as the fault needs; the checker names the rule that it breaks."""
    async with redis_harness(server.url) as harness:
        plant.into(harness.store)
        violations = check(await play(harness))
    assert plant.breaks in {violation.rule for violation in violations}, violations


@pytest.mark.parametrize("plant", memory_plants.PLANTS, ids=str)
async def test_a_fault_in_memory_is_found(plant: MemoryPlant) -> None:
    """The same faults in the specification itself."""
    harness = MemoryHarness()
    harness.store = Planted(plant, lambda: harness.now)
    violations = check(await play(harness))
    assert plant.breaks in {violation.rule for violation in violations}, violations
