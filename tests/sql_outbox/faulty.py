"""A broker that fails as a test says."""

from collections.abc import Sequence

import trio

from penstock.engine.errors import PenstockError
from penstock.engine.memory_store import MemoryStore
from penstock.engine.record import Record
from penstock.engine.store import PLAIN, NewJob, Submitted, Terms


class FaultyStore(MemoryStore):
    """Raises before it stores, or after, as long as it is told to."""

    def __init__(self) -> None:
        super().__init__()
        self.before: dict[str, PenstockError] = {}
        """What a queue raises, and stores nothing."""
        self.after: dict[str, PenstockError] = {}
        """What a queue raises once it has stored everything: the answer is lost."""
        self.sent: list[str] = []
        """Every job of every submission, in order."""
        self.stuck: trio.Event | None = None
        """Where there is one, submissions wait for it before anything is stored."""

    async def submit(self, queue: str, jobs: Sequence[NewJob], terms: Terms = PLAIN) -> list[Submitted]:
        self.sent += [f"{queue}.{job.suffix}" for job in jobs]
        if self.stuck is not None:
            await self.stuck.wait()
        if queue in self.before:
            raise self.before[queue]
        answers = await super().submit(queue, jobs, terms)
        if queue in self.after:
            raise self.after[queue]
        return answers

    async def read(self, queue: str, suffix: str) -> Record | None:
        if queue in self.before:
            raise self.before[queue]
        return await super().read(queue, suffix)
