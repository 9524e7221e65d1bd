"""Word that leaves with a change: wake-ups for workers, endings for whoever watches a queue."""

from collections import defaultdict
from collections.abc import Generator
from contextlib import contextmanager
from typing import Generic, Self, TypeVar

import anyio

from penstock.engine.errors import StoreUnavailable
from penstock.engine.store import Ended, Wake

T = TypeVar("T")

ROOM = 10_000
"""Unread messages one reader may have: a batch of endings many times over, yet a bound."""


class Mailbox(Generic[T]):
    """Messages for one reader, in order.

    A reader that falls behind by `ROOM` loses its connection, as Redis does to a slow subscriber: it
    reads what has come, then `StoreUnavailable` is raised and it enters again.
    """

    def __init__(self) -> None:
        self._in, self._out = anyio.create_memory_object_stream[T](ROOM)

    def put(self, message: T) -> None:
        """Leave a message; never waits."""
        try:
            self._in.send_nowait(message)
        except anyio.WouldBlock:
            self._in.close()
        except anyio.ClosedResourceError:
            pass  # it overflowed earlier and its reader has not come to the end yet

    def close(self) -> None:
        """The reader has gone."""
        self._in.close()
        self._out.close()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> T:
        try:
            return await self._out.receive()
        except anyio.EndOfStream:
            raise StoreUnavailable(
                f"this reader fell {ROOM} messages behind; enter again and look at the jobs"
            ) from None


class Mail:
    """Who listens to one queue."""

    def __init__(self) -> None:
        self._workers: dict[str, list[Mailbox[Wake]]] = defaultdict(list)
        self._watchers: list[Mailbox[Ended]] = []

    def listens(self, worker: str) -> bool:
        """Whether somebody does under that name."""
        return worker in self._workers

    def tell(self, worker: str, wake: Wake) -> bool:
        """Send `wake` to `worker`; False where nobody listens under that name."""
        boxes = self._workers.get(worker, [])
        for box in boxes:
            box.put(wake)
        return bool(boxes)

    def publish(self, ended: Ended) -> None:
        """Tell every watcher of an ending."""
        for box in self._watchers:
            box.put(ended)

    @contextmanager
    def listening(self, worker: str, box: Mailbox[Wake]) -> Generator[None]:
        """Wakes for `worker` go to `box` while this is open."""
        self._workers[worker].append(box)
        try:
            yield
        finally:
            self._workers[worker].remove(box)
            if not self._workers[worker]:
                del self._workers[worker]

    @contextmanager
    def watching(self, box: Mailbox[Ended]) -> Generator[None]:
        """Endings go to `box` while this is open."""
        self._watchers.append(box)
        try:
            yield
        finally:
            self._watchers.remove(box)
