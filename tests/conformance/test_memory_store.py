"""What only the store in memory has: two event loops, a virtual clock, bounded mailboxes."""

import anyio
import pytest
import trio
import trio.testing

from penstock.engine.errors import StoreUnavailable
from penstock.engine.job import JobState
from penstock.engine.memory_store import MemoryStore
from penstock.engine.memory_store.mail import ROOM
from penstock.engine.store import Ended, Wake
from support.stores import heard, new_job


async def run_one_job(store: MemoryStore) -> None:
    """Submit, be woken, claim."""
    await store.join("q", "w", 1_000)
    async with store.listen("w", ["q"]) as wakes:
        await store.claim("q", "w", 1, 1, suspect=True, idle=True)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(store.submit, "q", [new_job("a")])
            assert await anext(wakes) == Wake("q")
    claim = await store.claim("q", "w", 2, 1, suspect=True, idle=True)
    assert claim is not None
    assert [claimed.suffix for claimed in claim.jobs] == ["a"]


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_it_works_on_both_event_loops(backend: str) -> None:
    """The engine's worker needs Trio; a client under asyncio can be tested too."""
    anyio.run(run_one_job, MemoryStore(), backend=backend)


async def test_it_follows_trios_virtual_clock(autojump_clock: trio.testing.MockClock) -> None:
    """Leases and delays pass as fast as the tests that wait for them."""
    store = MemoryStore(clock=lambda: int(trio.current_time() * 1000))
    await store.submit("q", [new_job("a", delay=60_000)])
    await trio.sleep(59)
    assert (await store.promote("q")).moved == 0
    await trio.sleep(1)
    assert (await store.promote("q")).moved == 1


async def test_a_record_goes_when_its_time_is_over() -> None:
    """An ended job is kept to the millisecond; then its id may be used again, and is a new job."""
    now = 1
    store = MemoryStore(clock=lambda: now)
    await store.submit("q", [new_job("a"), new_job("b")])
    await store.cancel("q", "a")
    now += 24 * 3600 * 1000 - 1
    assert await store.look("q", "a") is not None
    now += 1
    assert await store.look("q", "a") is None
    assert (await store.submit("q", [new_job("a")]))[0].state is JobState.READY
    await store.join("q", "w", 1_000)
    claim = await store.claim("q", "w", 1, 5, suspect=True, idle=False)
    assert claim is not None
    # Its old entry, in front of "b", is still in the line and must not count.
    assert [claimed.suffix for claimed in claim.jobs] == ["b", "a"]
    assert (await store.facts("q")).ready == 0


async def test_a_reader_that_falls_behind_is_cut_off() -> None:
    """Memory is bounded: it reads what has come, then hears that it missed something."""
    store = MemoryStore()
    names = [f"j{n}" for n in range(ROOM + 1)]
    await store.submit("q", [new_job(name, body=b"") for name in names])
    async with store.endings("q") as endings:
        for name in names:
            await store.cancel("q", name)
        for name in names[:ROOM]:
            assert await heard(endings) == Ended(name, JobState.CANCELLED)
        with pytest.raises(StoreUnavailable):
            await heard(endings)


async def test_a_cancelled_call_has_not_begun() -> None:
    """The one checkpoint stands before the step."""
    store = MemoryStore()
    with trio.CancelScope() as scope:
        scope.cancel()
        await store.submit("q", [new_job("a")])
    assert await store.look("q", "a") is None
