"""Word of work that a worker has no use for goes to another, on both stores: nobody waits for a timer."""

import pytest

from penstock.engine.store import Wake
from support.stores import QueueUnderTest, heard


@pytest.mark.parametrize("delay", [0, 50])
async def test_a_nudge_passes_on_word_of_work_now_or_later(queue: QueueUnderTest, delay: int) -> None:
    """A full or draining worker nudges; also of jobs that are due later: somebody has to know."""
    first, second = await queue.worker(), await queue.worker()
    async with first.idle() as to_first:
        await queue.advance(1)
        async with second.idle() as to_second:
            await queue.submit("work", delay=delay)
            assert await heard(to_first) == Wake(queue.name)
            await queue.store.nudge(queue.name)
            assert await heard(to_second) == Wake(queue.name)


@pytest.mark.parametrize("delay", [0, 50])
async def test_a_worker_that_leaves_takes_no_word_with_it(queue: QueueUnderTest, delay: int) -> None:
    """It was woken while it was about to leave and never read it; another is woken in its place."""
    first, second = await queue.worker(), await queue.worker()
    async with first.idle():
        await queue.advance(1)
        async with second.idle() as to_second:
            await queue.submit("work", delay=delay)
            assert await first.leave() == []
            assert await heard(to_second) == Wake(queue.name)
