"""What keeps the API's dear answers for a moment: `penstock.engine.cache`, in this process alone.

Each process makes an answer once a second at most. Kept in Redis it would be made once for all processes, but
the answers, up to a megabyte each, would lie where the jobs are and travel over their connection.
"""

from collections.abc import Sequence

import trio

from penstock.engine.cache import Cache, CacheSettings
from penstock.engine.cache.store import Place, Turn
from penstock.http.views import FRESH

MODULE = "api"
"""The label `module` of its metrics."""


def view_cache() -> Cache:
    """A cache of one process's answers, bounded by the cache's defaults in number and bytes."""
    return Cache(_Nowhere(), CacheSettings(local_ttl=FRESH)).for_module(MODULE)


class _Nowhere:
    """A `CacheStore` that keeps nothing: what the process itself keeps is all there is."""

    async def read(self, place: Place) -> bytes | None:
        """There is nothing."""
        await trio.lowlevel.checkpoint()
        return None

    async def read_or_lock(self, place: Place, token: str, seconds: float) -> bytes | Turn:
        """Whoever asks is to load it; that one at a time does is seen to in the process."""
        await trio.lowlevel.checkpoint()
        return Turn.YOURS

    async def renew(self, place: Place, token: str, seconds: float) -> bool:
        """Nobody can have taken the lock."""
        await trio.lowlevel.checkpoint()
        return True

    async def fill(self, place: Place, token: str, data: bytes, ttl: float) -> bool:
        """It is as good as kept."""
        await trio.lowlevel.checkpoint()
        return True

    async def unlock(self, place: Place, token: str) -> None:
        """Nothing is locked."""
        await trio.lowlevel.checkpoint()

    async def write(self, place: Place, data: bytes, ttl: float) -> None:
        """Nothing is kept."""
        await trio.lowlevel.checkpoint()

    async def forget(self, places: Sequence[Place]) -> None:
        """Nothing is kept."""
        await trio.lowlevel.checkpoint()
