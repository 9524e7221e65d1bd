"""One at a time: what several tasks of this process want at once, one of them gets for all."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from types import TracebackType
from typing import Generic, TypeVar

import anyio

from penstock.engine.cache.metrics import WAIT_SECONDS
from penstock.engine.cache.store import Place

T = TypeVar("T")


@dataclass(slots=True, eq=False)
class _Flight(Generic[T]):
    ended: anyio.Event = field(default_factory=anyio.Event)
    landed: T | None = None
    failure: Exception | None = None
    traceback: TracebackType | None = None


class Flights(Generic[T]):
    """Who comes first leads, in its own task; who comes meanwhile sleeps until it has ended.

    There is no task of the cache's own: what runs belongs to whoever called, and ends with it. A leader that
    is cancelled hands over to one who waits. An error is everybody's who waited: were each to try in turn,
    the last of many would wait for as many failures.
    """

    def __init__(self) -> None:
        self._flights: dict[Place, _Flight[T]] = {}

    async def join(self, place: Place, lead: Callable[[], Awaitable[T]]) -> T:
        """What `lead` returns, this caller's or the one's that flies already; raises what it raised."""
        while (flight := self._flights.get(place)) is not None:
            started = anyio.current_time()
            await flight.ended.wait()
            WAIT_SECONDS.observe(anyio.current_time() - started, module=place.module, where="process")
            if flight.failure is not None:  # one object for several tasks, as asyncio's futures raise it
                raise flight.failure.with_traceback(flight.traceback)
            if flight.landed is not None:
                return flight.landed
        return await self._lead(place, lead)

    def forget(self, place: Place) -> None:
        """Who comes from now on does not join the present flight: it may have read what is out of date."""
        self._flights.pop(place, None)

    async def _lead(self, place: Place, lead: Callable[[], Awaitable[T]]) -> T:
        flight = self._flights[place] = _Flight[T]()
        try:
            landed = flight.landed = await lead()
        except Exception as error:
            flight.failure, flight.traceback = error, error.__traceback__
            raise
        finally:
            if self._flights.get(place) is flight:
                del self._flights[place]
            flight.ended.set()
        return landed
