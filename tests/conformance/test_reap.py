"""The reaper: leases revoked first, jobs moved in slices, culprits found, the dead buried."""

from penstock.engine.job import JobState
from support.stores import BURIAL, LEASE, QueueUnderTest, settlement


async def test_nothing_to_reap(queue: QueueUnderTest) -> None:
    """Live workers keep what they hold."""
    await queue.submit("a")
    worker = await queue.worker()
    await worker.take()
    await queue.advance(LEASE - 1)
    reaping = await queue.reap()
    assert (reaping.revoked, reaping.returned, reaping.dead, reaping.remaining) == ([], [], [], False)
    assert len(await worker.beat() or {}) == 1


async def test_a_dead_workers_jobs_become_suspects(queue: QueueUnderTest) -> None:
    """Each counts one crash more and waits at the tail of the suspects; attempt, token and due stay."""
    await queue.submit("a", "b")
    before = await queue.header("a")
    worker, bystander = await queue.worker(), await queue.worker()
    await worker.take()
    await queue.advance(LEASE - 1)
    await bystander.beat()
    await queue.advance(1)
    reaping = await queue.reap()
    assert reaping.revoked == [worker.name]
    assert sorted(reaping.returned) == ["a", "b"]
    assert (reaping.dead, reaping.remaining) == ([], False)
    after = await queue.header("a")
    assert (after.state, after.crashes) == (JobState.READY, 1)
    assert (after.attempt, after.token, after.due) == (before.attempt, before.token, before.due)
    assert await bystander.names(suspect=False) == []
    assert len(await bystander.names()) == 1


async def test_an_idle_worker_that_died_is_revoked_too(queue: QueueUnderTest) -> None:
    """A lease without jobs is ended all the same."""
    worker = await queue.worker()
    assert (await queue.crash(worker)).returned == []
    assert (await queue.store.facts(queue.name)).workers == 0


async def test_reaping_goes_in_slices(queue: QueueUnderTest) -> None:
    """All expired leases are revoked by the first call; each call moves at most `limit` jobs."""
    await queue.submit(*(f"j{n}" for n in range(4)))
    one, two = await queue.worker(), await queue.worker()
    await one.take(2)
    await two.take(2)
    await queue.advance(LEASE)
    slices = [await queue.reap(limit=2) for _ in range(3)]
    assert sorted(slices[0].revoked) == [one.name, two.name]
    assert [part.revoked for part in slices[1:]] == [[], []]
    assert [len(part.returned) for part in slices] == [2, 2, 0]
    assert [part.remaining for part in slices] == [True, False, False]
    assert sorted(name for part in slices for name in part.returned) == [f"j{n}" for n in range(4)]


async def test_a_job_that_crashed_too_many_workers_is_dead(queue: QueueUnderTest) -> None:
    """At `max_crashes` it is buried with the given ending; attempts that never ended do not count."""
    await queue.suspects("a")
    second, third = await queue.worker(), await queue.worker()
    assert await second.names() == ["a"]
    await queue.advance(LEASE - 1)
    await third.beat()
    await queue.advance(1)
    assert (await queue.reap()).returned == ["a"]
    assert await third.names() == ["a"]
    reaping = await queue.crash(third)
    assert (reaping.returned, reaping.dead) == ([], ["a"])
    record = await queue.store.read(queue.name, "a")
    assert record is not None
    header = record.header
    assert (header.state, header.crashes, header.attempt) == (JobState.DEAD, 3, 0)
    assert (header.ended, record.ending) == (queue.now, BURIAL)
    assert (await queue.store.facts(queue.name)).dead == 1


async def test_bystanders_of_a_second_crash_are_spared(queue: QueueUnderTest) -> None:
    """Suspects run one per worker, so that only the culprit's count grows."""
    await queue.suspects("culprit", "innocent")
    victim = await queue.worker()
    assert await victim.names() == ["culprit"]
    await queue.crash(victim)
    assert (await queue.header("culprit")).crashes == 2
    assert (await queue.header("innocent")).crashes == 1


async def test_the_count_of_crashes_survives_other_endings(queue: QueueUnderTest) -> None:
    """A suspect that is retried, parked or delayed keeps its crashes and is a suspect when ready again."""
    await queue.suspects("a")
    worker = await queue.worker()
    for state in (JobState.SCHEDULED, JobState.PARKED):
        await worker.end(await worker.take_one(), state, delay=10)
        await queue.advance(10)
        await queue.promote()
        assert (await queue.header("a")).crashes == 1
        assert await worker.names(suspect=False) == []


async def test_settled_jobs_are_not_reaped(queue: QueueUnderTest) -> None:
    """What ended before the lease was revoked stays ended."""
    await queue.submit("a", "b")
    worker = await queue.worker()
    a, _ = await worker.take()
    await worker.settle(settlement(a))
    reaping = await queue.crash(worker)
    assert reaping.returned == ["b"]
    assert await queue.state("a") is JobState.SUCCEEDED


async def test_after_a_standstill_nobody_is_revoked_for_one_lease(queue: QueueUnderTest) -> None:
    """Where nobody reaped for half a lease, those who live had no chance to beat: they get one."""
    await queue.submit("a", "b")
    alive, gone = await queue.worker(), await queue.worker()
    await alive.take(1)
    await gone.take(1)
    await queue.reap(patience=LEASE)
    await queue.advance(3 * LEASE)  # the store, or everybody, stood still
    assert (await queue.reap(patience=LEASE)).revoked == []
    assert len(await alive.beat() or {}) == 1  # prolonged, though it had run out long ago
    for _ in range(3):
        await queue.advance(LEASE // 3 - 1)
        assert (await queue.reap(patience=LEASE)).revoked == []
        await alive.beat()
    await queue.advance(LEASE // 3)
    assert (await queue.reap(patience=LEASE)).revoked == [gone.name]


async def test_while_somebody_reaps_a_lease_is_revoked_when_it_runs_out(queue: QueueUnderTest) -> None:
    """Patience costs a takeover nothing where no standstill was."""
    worker = await queue.worker()
    await queue.reap(patience=LEASE)
    for _ in range(6):
        await queue.advance(LEASE // 3)
        await queue.reap(patience=LEASE)
        await worker.beat()
    for _ in range(2):
        await queue.advance(LEASE // 3)
        assert (await queue.reap(patience=LEASE)).revoked == []
    await queue.advance(LEASE // 3)
    assert (await queue.reap(patience=LEASE)).revoked == [worker.name]
