"""What lies between a process and the store: it is slow, loses calls and answers, stalls, is cut for good."""

import random
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Sequence
from contextlib import aclosing, asynccontextmanager
from typing import TypeVar

import trio

from benchmarks.history.relay import Relay
from penstock.engine.errors import StoreUnavailable
from penstock.engine.store import Store, Wake

T = TypeVar("T")


class Weather(Relay):
    """How bad things are for everybody at the moment; the store itself behind it."""

    def __init__(self, inner: Store) -> None:
        super().__init__(inner)
        self.loss = 0.0
        """How likely a call, or an answer, is to be lost."""
        self._away_until = 0.0

    def outage(self, seconds: float) -> None:
        """The store is away for everybody."""
        self._away_until = trio.current_time() + seconds

    def check(self) -> None:
        """Raise `StoreUnavailable` while the store is away."""
        if trio.current_time() < self._away_until:
            raise StoreUnavailable("the store is away")


class Wire(Relay):
    """One process's way to the store. `cut` is for good: nothing passes any more, in neither direction."""

    def __init__(self, weather: Weather, chance: random.Random) -> None:
        super().__init__(weather.inner)
        self._weather = weather
        self._chance = chance
        self._stalled_until = 0.0
        self._dead = False

    def cut(self) -> None:
        """Nothing reaches the store from now on, and nothing comes from it."""
        self._dead = True

    def stall(self, seconds: float) -> None:
        """Calls under way, and those that follow, are held up and arrive late."""
        self._stalled_until = max(self._stalled_until, trio.current_time() + seconds)

    async def relay(self, call: Callable[[], Awaitable[T]]) -> T:
        await self._pass()
        answer = await call()
        await self._pass()
        return answer

    async def _pass(self) -> None:
        """One way: most calls need no time, some a little, and a stalled one as long as it takes."""
        if self._chance.random() < 0.1:
            await trio.sleep(self._chance.expovariate(20))
        if trio.current_time() < self._stalled_until:
            await trio.sleep_until(self._stalled_until)
        if self._dead or self._chance.random() < self._weather.loss:
            raise StoreUnavailable("lost on the way")
        self._weather.check()

    @asynccontextmanager
    async def listen(self, worker: str, queues: Sequence[str]) -> AsyncGenerator[AsyncIterator[Wake]]:
        await self._pass()
        async with self.inner.listen(worker, queues) as wakes, aclosing(self._heard(wakes)) as heard:
            yield heard

    async def _heard(self, wakes: AsyncIterator[Wake]) -> AsyncGenerator[Wake]:
        async for wake in wakes:
            await self._pass()
            yield wake
