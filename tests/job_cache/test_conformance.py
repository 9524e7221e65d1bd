"""What every store of the cache promises, held against both."""

import uuid

import pytest
import trio

from penstock.engine.cache import CacheStore
from penstock.engine.cache.store import Place, Turn

LONG = 60.0


@pytest.fixture
def place() -> Place:
    return Place("tests", uuid.uuid4().hex)


async def gone(store: CacheStore, place: Place) -> None:
    """Wait until an entry has expired."""
    with trio.fail_after(10):
        while await store.read(place) is not None:
            pass


async def test_what_was_written_is_read_until_it_is_forgotten(store: CacheStore, place: Place) -> None:
    """Bytes come back as they were, whatever they are."""
    other = Place(place.module, place.key + "2")
    assert await store.read(place) is None
    for data in (b"\0\r\n\xff", b""):
        await store.write(place, data, LONG)
        assert await store.read(place) == data
        assert await store.read_or_lock(place, "a", LONG) == data
    await store.write(other, b"other", LONG)
    await store.forget([place, other])
    assert await store.read(place) is None
    assert await store.read(other) is None


async def test_modules_do_not_see_each_others_entries(store: CacheStore, place: Place) -> None:
    """The module is part of the name."""
    await store.write(place, b"mine", LONG)
    assert await store.read(Place("others", place.key)) is None


async def test_entries_expire(store: CacheStore, place: Place) -> None:
    """Whether they were written or filled in."""
    await store.write(place, b"x", 0.02)
    await gone(store, place)
    assert await store.read_or_lock(place, "a", LONG) is Turn.YOURS
    assert await store.fill(place, "a", b"y", 0.02)
    await gone(store, place)


async def test_one_holds_the_lock_of_a_missing_entry(store: CacheStore, place: Place) -> None:
    """Others learn that it is taken; the holder, asking again as after a lost reply, that it is its own."""
    assert await store.read_or_lock(place, "a", LONG) is Turn.YOURS
    assert await store.read_or_lock(place, "b", LONG) is Turn.TAKEN
    assert await store.read_or_lock(place, "a", LONG) is Turn.YOURS
    await store.unlock(place, "b")
    assert await store.read_or_lock(place, "b", LONG) is Turn.TAKEN
    await store.unlock(place, "a")
    assert await store.read_or_lock(place, "b", LONG) is Turn.YOURS


async def test_a_lock_that_runs_out_is_the_next_ones(store: CacheStore, place: Place) -> None:
    """Its old holder neither renews it, nor fills, nor gives up the new one."""
    assert await store.read_or_lock(place, "a", 0.02) is Turn.YOURS
    with trio.fail_after(10):
        while await store.read_or_lock(place, "b", LONG) is Turn.TAKEN:
            pass
    assert not await store.renew(place, "a", LONG)
    assert not await store.fill(place, "a", b"old", LONG)
    await store.unlock(place, "a")
    assert await store.read_or_lock(place, "c", LONG) is Turn.TAKEN
    assert await store.fill(place, "b", b"new", LONG)
    assert await store.read(place) == b"new"


async def test_a_renewed_lock_is_held_for_longer(store: CacheStore, place: Place) -> None:
    """It is still held when one that was taken later, and not renewed, has run out."""
    other = Place(place.module, place.key + "2")
    assert await store.read_or_lock(place, "a", 1.0) is Turn.YOURS
    assert await store.renew(place, "a", LONG)
    assert await store.read_or_lock(other, "a", 1.0) is Turn.YOURS
    with trio.fail_after(20):
        while await store.read_or_lock(other, "b", LONG) is Turn.TAKEN:
            pass
    assert await store.read_or_lock(place, "b", LONG) is Turn.TAKEN


async def test_a_filled_entry_has_no_lock(store: CacheStore, place: Place) -> None:
    """Filling gives it up; filling again says so and changes nothing."""
    await store.read_or_lock(place, "a", LONG)
    assert await store.fill(place, "a", b"x", LONG)
    assert not await store.fill(place, "a", b"y", LONG)
    assert await store.read(place) == b"x"
    await store.forget([place])
    assert await store.read_or_lock(place, "b", LONG) is Turn.YOURS


@pytest.mark.parametrize("how", ["write", "forget"])
async def test_a_change_voids_the_lock(store: CacheStore, place: Place, how: str) -> None:
    """What a loader read before the change is not filled in after it."""
    await store.read_or_lock(place, "a", LONG)
    if how == "write":
        await store.write(place, b"new", LONG)
    else:
        await store.forget([place])
    assert not await store.renew(place, "a", LONG)
    assert not await store.fill(place, "a", b"old", LONG)
    assert await store.read(place) == (b"new" if how == "write" else None)


async def test_forgetting_nothing_is_nothing(store: CacheStore) -> None:
    """No places, no commands."""
    await store.forget([])
