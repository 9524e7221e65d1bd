"""How long the cache waits for its store, and that it leaves it alone for a while when it does not answer."""

import math
from collections.abc import Awaitable, Callable
from typing import TypeVar

import anyio

from penstock.engine.cache.metrics import ERRORS
from penstock.engine.cache.settings import CacheSettings
from penstock.engine.errors import StoreRefused, StoreUnavailable

Answer = TypeVar("Answer")


class Patience:
    """Bounds every question to the store."""

    def __init__(self, settings: CacheSettings) -> None:
        self._settings = settings
        self._resting_until = -math.inf

    async def ask(
        self, module: str, command: str, call: Callable[[], Awaitable[Answer]], *, even_resting: bool = False
    ) -> Answer:
        """What `call` answers, in time.

        Raises `StoreUnavailable` and `StoreRefused`, counted; `StoreUnavailable` at once where the store did
        not answer a moment ago, unless `even_resting`.
        """
        now = anyio.current_time()
        if now < self._resting_until and not even_resting:
            raise StoreUnavailable("The cache's store did not answer a moment ago.")
        try:
            # Not by the link's own timeout: that would cost everybody on the link the connection.
            with anyio.move_on_after(self._settings.patience):
                return await call()
            raise StoreUnavailable(f"The cache's store gave no answer within {self._settings.patience:g} s.")
        except StoreUnavailable:
            ERRORS.inc(module=module, command=command)
            self._resting_until = anyio.current_time() + self._settings.rest
            raise
        except StoreRefused:
            ERRORS.inc(module=module, command=command)
            raise
