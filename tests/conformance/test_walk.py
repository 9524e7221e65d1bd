"""Random walks: no operation, in whatever order, makes an illegal move, loses a job or miscounts."""

import random
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence

import pytest

from penstock.engine.job import JobState, legal
from penstock.engine.store import Claimed
from support.stores import BURIAL, LEASE, MAX_CRASHES, Hand, QueueUnderTest, heard

STEPS = 300
FOREVER = 10**9  # milliseconds
SETTLED = [
    JobState.SUCCEEDED,
    JobState.DEAD,
    JobState.CANCELLED,
    JobState.EXPIRED,
    JobState.SCHEDULED,
    JobState.READY,
    JobState.PARKED,
]


class Walk:
    """Operations drawn by chance, and what a careful observer knows of the jobs."""

    def __init__(
        self, queue: QueueUnderTest, seed: int, tenants: Sequence[str] = ("-", "acme", "bolt")
    ) -> None:
        self.queue = queue
        self.tenants = tenants
        self.rng = random.Random(seed)
        self.workers: list[Hand] = []
        self.held: list[tuple[Hand, Claimed]] = []  # ever claimed: most are stale, as in life
        self.seen: dict[str, JobState] = {}

    async def step(self) -> None:
        """One operation, then one look at everything."""
        operations: list[tuple[int, Callable[[], Awaitable[None]]]] = [
            (4, self.submit),
            (6, self.claim),
            (8, self.settle),
            (2, self.release),
            (2, self.cancel),
            (3, self.promote),
            (2, self.pass_time),
            (1, self.join),
            (1, self.leave),
            (2, self.reap),
        ]
        weights = [weight for weight, _ in operations]
        ((_, operation),) = self.rng.choices(operations, weights)
        await operation()
        await self.observe()

    async def submit(self) -> None:
        name = f"j{len(self.seen)}"
        await self.queue.submit(
            name,
            tenant=self.rng.choice(self.tenants),
            priority=self.rng.randrange(3),
            delay=self.rng.choice([0, 0, 20]),
        )
        self.seen[name] = (await self.queue.header(name)).state

    async def join(self) -> None:
        self.workers.append(await self.queue.worker())

    async def claim(self) -> None:
        if not self.workers:
            await self.join()
        worker = self.rng.choice(self.workers)
        claim = await worker.claim(self.rng.randrange(1, 4), suspect=self.rng.random() < 0.7)
        for claimed in claim.jobs if claim else ():
            self.held.append((worker, claimed))

    async def settle(self) -> None:
        if self.held:
            worker, claimed = self.rng.choice(self.held[-12:])
            state = self.rng.choice(SETTLED)
            await worker.end(claimed, state, delay=FOREVER if state.final else 30)

    async def release(self) -> None:
        if self.held:
            worker, claimed = self.rng.choice(self.held[-12:])
            await worker.release(claimed)

    async def cancel(self) -> None:
        if self.seen:
            await self.queue.store.cancel(self.queue.name, self.rng.choice(list(self.seen)))

    async def promote(self) -> None:
        await self.queue.promote(self.rng.randrange(1, 5))

    async def pass_time(self) -> None:
        await self.queue.advance(self.rng.choice([1, 30, LEASE // 3]))

    async def leave(self) -> None:
        if self.workers:
            await self.workers.pop(self.rng.randrange(len(self.workers))).leave()

    async def reap(self) -> None:
        limit = self.rng.randrange(1, 4)
        await self.queue.store.reap(
            self.queue.name, max_crashes=MAX_CRASHES, ending=BURIAL, keep=FOREVER, limit=limit
        )

    async def observe(self) -> None:
        """Each job stands still or made one legal move; the facts count exactly what is seen."""
        now = {name: await self.queue.state(name) for name in self.seen}
        for name, state in now.items():
            before = self.seen[name]
            assert state is before or legal(before, state), f"{name}: {before} -> {state}"
        count = Counter(now.values())
        facts = await self.queue.store.facts(self.queue.name)
        waiting = count[JobState.SCHEDULED] + count[JobState.PARKED]
        assert (facts.ready, facts.scheduled) == (count[JobState.READY], waiting)
        assert (facts.running, facts.dead) == (count[JobState.RUNNING], count[JobState.DEAD])
        self.seen = now


@pytest.mark.parametrize("seed", range(8))
async def test_a_random_walk_makes_only_legal_moves(queue: QueueUnderTest, seed: int) -> None:
    """Whatever is sent in whatever order, stale tokens included, `MOVES` is obeyed and facts are exact."""
    walk = Walk(queue, seed)
    for _ in range(STEPS):
        await walk.step()


@pytest.mark.parametrize("seed", range(4))
async def test_after_a_random_walk_every_job_can_be_brought_to_its_end_once(
    queue: QueueUnderTest, seed: int
) -> None:
    """Nothing is lost and nothing is run twice at a time: each job ends exactly once."""
    walk = Walk(queue, seed)
    async with queue.store.endings(queue.name) as endings:
        for _ in range(STEPS // 3):
            await walk.step()
        await queue.advance(LEASE)
        await queue.reap()
        await queue.promote()
        last = await queue.worker()
        while jobs := await last.take():
            for claimed in jobs:
                assert await last.end(claimed) == "settled"
        ended = [(await heard(endings)).suffix for _ in walk.seen]
    assert sorted(ended) == sorted(walk.seen)
