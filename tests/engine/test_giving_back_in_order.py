"""More jobs given back than one call of the settler carries: their line is as it was."""

from trio.testing import MockClock

from penstock.engine.held import Held
from penstock.engine.memory_store import MemoryStore
from penstock.engine.seams import Seams
from penstock.engine.settler import FLUSH, Settler
from support.stores import LEASE, new_job, suffixes
from support.work import virtual_clock

NAMES = [f"{number:03d}" for number in range(2 * FLUSH + FLUSH // 4)]


async def test_jobs_go_back_in_the_order_they_were_claimed(autojump_clock: MockClock) -> None:
    """The first in line is the first in line again, though the last of them were sent first."""
    store, done = MemoryStore(virtual_clock), list[Held]()
    await store.submit("q", [new_job(name) for name in NAMES])
    for worker in ("leaving", "heir"):
        await store.join("q", worker, LEASE)
    claim = await store.claim("q", "leaving", 1, len(NAMES), suspect=True, idle=False)
    assert claim is not None
    settler = Settler(store, Seams(), "q", "leaving", done.append)
    for claimed in claim.jobs:
        settler.give_back(Held("q", claimed, 1, claim.now, 0.0), "drain")
    settler.close()
    await settler.run()

    again = await store.claim("q", "heir", 1, len(NAMES), suspect=True, idle=False)
    assert again is not None
    assert suffixes(again.jobs) == NAMES
    assert sorted(held.claimed.suffix for held in done) == NAMES
