"""Database work in threads: at most as many at a time as there are connections, every wait bounded."""

import time
from collections.abc import Callable
from functools import partial
from typing import TypeVar

import trio
from sqlalchemy import Connection, Engine
from sqlalchemy.exc import SQLAlchemyError

from penstock.engine.sql.errors import translate
from penstock.engine.sql.part import Part

T = TypeVar("T")
Work = Callable[[Connection], T]


class Lane:
    """The connections of one sort (to write, or to read) and whoever waits for one."""

    def __init__(self, engine: Engine, size: int, wait: float, part: Part) -> None:
        """`wait` is how many seconds a call waits for its turn; `part` says what its errors are."""
        self.engine = engine
        self._part = part
        self._turns = trio.CapacityLimiter(size)
        self._wait = wait

    async def run(self, operation: str, work: Work[T]) -> T:
        """Do `work` in a thread, in one transaction; `operation` is one of few words, for the metrics.

        Cancelled while it waits for its turn, nothing has happened. Later a cancellation waits for the
        transaction to end, which the settings bound: it is never abandoned half-way.

        Raises:
            `Kinds` of the part: nothing of this transaction is known to be written.
        """
        await self._take_turn(operation)
        try:
            # The turn is the bound on threads; a limiter of the process's would let strangers stand in line.
            task = partial(_transact, self.engine, self._part, operation, work)
            return await trio.to_thread.run_sync(task, limiter=trio.CapacityLimiter(1))
        finally:
            self._turns.release()

    async def close(self) -> None:
        """Close all connections; nobody may be using one. Closing does disk and network work: in a thread."""
        with trio.CancelScope(shield=True):  # or files and sockets stay open; the database answers a goodbye
            await trio.to_thread.run_sync(self.engine.dispose, limiter=trio.CapacityLimiter(1))

    async def _take_turn(self, operation: str) -> None:
        measures = self._part.measures
        measures.pool_connections.inc(1, state="waiting")
        try:
            with trio.move_on_after(self._wait) as waiting:
                await self._turns.acquire()
        finally:
            measures.pool_connections.inc(-1, state="waiting")
        if waiting.cancelled_caught:
            measures.pool_timeouts.inc()
            unavailable = self._part.kinds.unavailable
            measures.errors.inc(operation=operation, error_type=unavailable.__name__)
            raise unavailable(
                f"no connection to the {self._part.name}'s database was free within {self._wait} s"
            )


def _transact(engine: Engine, part: Part, operation: str, work: Work[T]) -> T:
    began = time.perf_counter()
    try:
        with engine.begin() as connection:
            return work(connection)
    except SQLAlchemyError as error:
        translated = translate(error, part.name, part.kinds)
    finally:
        part.measures.operation_seconds.observe(time.perf_counter() - began, operation=operation)
    part.measures.errors.inc(operation=operation, error_type=type(translated).__name__)
    raise translated  # outside of the handler: the driver's own, with its values, stays behind
