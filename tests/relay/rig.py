"""A sink that a test holds in its hand, and a queue whose jobs end at a word."""

from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

import trio

from penstock.engine import Observers, Seams
from penstock.engine.job_ending import JobEnding
from penstock.engine.memory_store import MemoryStore
from penstock.engine.operation import Operation
from penstock.engine.relay import Fact, Relay, RelaySettings
from penstock.engine.seams import AroundOperation
from support.stores import new_job
from support.work import Ears, virtual_clock

QUEUE = "q"


class Shelf:
    """A sink that keeps what it is handed, unless a test has it do something else first."""

    def __init__(self, name: str = "shelf") -> None:
        self.name = name
        self.kept: list[JobEnding] = []
        self.asked: list[list[str]] = []
        """The jobs of every batch that was offered, taken or not."""
        self.before: Callable[[], Any] | None = None
        """Called, and awaited, before anything is kept."""
        self._news = trio.Event()

    async def take(self, endings: Sequence[JobEnding]) -> None:
        self.asked.append(names(endings))
        self._tell()
        if self.before is not None:
            await self.before()
        self.kept += endings
        self._tell()

    def _tell(self) -> None:
        self._news.set()
        self._news = trio.Event()

    async def wait_until(self, condition: Callable[["Shelf"], bool], within: float = 600) -> None:
        """Until it holds."""
        with trio.fail_after(within):
            while not condition(self):
                await self._news.wait()

    async def wait_for(self, *jobs: str) -> None:
        """Until all of these have come."""
        await self.wait_until(lambda shelf: set(jobs) <= set(names(shelf.kept)))


def names(endings: Sequence[JobEnding]) -> list[str]:
    """Of their jobs, without the queue."""
    return [ending.id.partition(".")[2] for ending in endings]


class Relayed:
    """A store in memory, relays on it, and what they told."""

    def __init__(self, nursery: trio.Nursery, store: MemoryStore) -> None:
        self.nursery = nursery
        self.store = store
        self.told: list[Fact] = []
        self.ears = Ears()

    async def relay(
        self,
        *sinks: Shelf,
        around: AroundOperation | None = None,
        queues: Sequence[str] = (QUEUE,),
        **settings: Any,
    ) -> Relay:
        """Start one; it has registered its sinks when it is returned."""
        seams = Seams(Observers(self.ears)) if around is None else Seams(around_operation=around)
        relay = Relay(self.store, queues, sinks, RelaySettings(**settings), seams, self.told.append)
        await self.nursery.start(relay.run)
        with trio.fail_after(600):
            while not relay.ready:
                await trio.lowlevel.checkpoint()
        return relay

    async def end(self, *suffixes: str, queue: str = QUEUE) -> None:
        """Jobs of these names end."""
        for suffix in suffixes:
            await self.store.submit(queue, [new_job(suffix)])
            await self.store.cancel(queue, suffix)

    async def behind(self, queue: str = QUEUE) -> dict[str, int]:
        """Entries that each sink has not acknowledged."""
        return {sink.sink: sink.behind for sink in (await self.store.outbox.backlog(queue)).sinks}


@asynccontextmanager
async def relaying(store: MemoryStore | None = None) -> AsyncGenerator[Relayed]:
    """Relays that are still running at the end are cancelled."""
    async with trio.open_nursery() as nursery:
        yield Relayed(nursery, store if store is not None else MemoryStore(virtual_clock))
        nursery.cancel_scope.cancel()


class Operations:
    """A seam that keeps what it saw."""

    def __init__(self) -> None:
        self.seen: list[Operation] = []
        self.raised: list[str] = []

    def __call__(self, operation: Operation) -> Any:
        self.seen.append(operation)
        return self

    def __enter__(self) -> dict[str, str]:
        return {}

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is not None:
            self.raised.append(kind.__name__)
