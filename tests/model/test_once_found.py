"""Where the two stores once differed, as the machine found it."""

from support.stores import LEASE, QueueUnderTest


async def test_a_queue_is_listed_once_a_worker_has_joined_it(queue: QueueUnderTest) -> None:
    """Also before anything was submitted to it: operators see what workers listen to."""
    await queue.worker()
    assert await queue.store.queues() == [queue.name]


async def test_jobs_released_in_any_order_go_back_in_the_order_of_their_claims(queue: QueueUnderTest) -> None:
    """Handlers stop in any order; the line is as it was."""
    await queue.submit("a", "b", "c")
    worker = await queue.worker()
    a, b, c = await worker.take()
    assert await worker.release(c, a, b) == ["a", "b", "c"]
    assert await worker.names() == ["a", "b", "c"]


async def test_a_dead_worker_without_jobs_is_not_waited_for(queue: QueueUnderTest) -> None:
    """The slice is full with another's jobs, but nothing remains: no further slice is asked for."""
    busy, free = await queue.worker(), await queue.worker()
    await queue.submit("a")
    assert await busy.names() == ["a"]
    await queue.advance(LEASE)
    reaping = await queue.reap(limit=1)
    assert (sorted(reaping.revoked), reaping.returned) == ([busy.name, free.name], ["a"])
    assert not reaping.remaining
    await queue.store.join(queue.name, free.name, LEASE)
