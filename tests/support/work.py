"""A client and workers on the store in memory, in the test's own nursery, with ears for every event."""

from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any, TypeVar

import trio

from penstock.engine import Client, Module, Observers, Registry, Seams, Worker, WorkerSettings
from penstock.engine.events import Event
from penstock.engine.memory_store import MemoryStore
from penstock.engine.store import Store

E = TypeVar("E")
EPOCH = 1_700_000_000.0
"""Where virtual time begins, seconds since the epoch."""


def virtual_clock() -> int:
    """Milliseconds since the epoch on Trio's clock, which starts at 0 when it is virtual."""
    return round((EPOCH + trio.current_time()) * 1000)


class Ears:
    """An observer that remembers, and wakes who waits."""

    def __init__(self) -> None:
        self.heard: list[Event] = []
        self._news = trio.Event()

    def __call__(self, event: Event) -> None:
        self.heard.append(event)
        self._news.set()

    def of(self, kind: type[E]) -> list[E]:
        """The events of one kind, in order."""
        return [event for event in self.heard if isinstance(event, kind)]

    async def wait_for(
        self,
        kind: type[E],
        *,
        count: int = 1,
        where: Callable[[E], bool] = lambda _: True,
        within: float = 60,
    ) -> list[E]:
        """Wait until so many were heard, at most `within` seconds."""
        with trio.fail_after(within):
            while len(found := [event for event in self.of(kind) if where(event)]) < count:
                self._news = trio.Event()
                await self._news.wait()
        return found


class Rig:
    """One store, one client, as many workers as a test starts."""

    def __init__(self, nursery: trio.Nursery, store: Store, client: Client, module: Module) -> None:
        self.nursery = nursery
        self.store = store
        self.client = client
        self.module = module
        self.ears = Ears()

    async def start_worker(
        self,
        *modules: Module,
        queues: Sequence[str] | None = None,
        seams: Seams | None = None,
        **settings: Any,
    ) -> Worker:
        """Start a worker that reports to `ears`; ended with the rig."""
        registry = Registry(modules or [self.module])
        seams = seams if seams is not None else Seams(Observers(self.ears))
        worker = Worker(self.store, registry, queues, WorkerSettings(**settings), seams)
        await self.nursery.start(worker.run)
        return worker


@asynccontextmanager
async def working(module: Module, store: Store | None = None) -> AsyncGenerator[Rig]:
    """A rig around `module`; workers still running at its end are cancelled."""
    store = store if store is not None else MemoryStore(virtual_clock)
    async with Client(store) as client, trio.open_nursery() as nursery:
        yield Rig(nursery, store, client, module)
        nursery.cancel_scope.cancel()
