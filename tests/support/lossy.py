"""A store whose answers can be lost on demand: the step was done, and nobody hears of it."""

from collections.abc import Awaitable, Callable
from typing import TypeVar

from benchmarks.history.relay import Relay
from penstock.engine.errors import StoreUnavailable
from penstock.engine.store import Store

T = TypeVar("T")


class Lossy(Relay):
    """Loses as many answers as `lose` says, beginning with the next."""

    def __init__(self, inner: Store) -> None:
        super().__init__(inner)
        self.lose = 0

    async def relay(self, call: Callable[[], Awaitable[T]]) -> T:
        answer = await call()
        if self.lose:
            self.lose -= 1
            raise StoreUnavailable("the answer was lost")
        return answer
