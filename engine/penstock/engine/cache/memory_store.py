"""A cache's entries in this process: for tests without a server, and the specification of the other store."""

from collections.abc import Sequence

import anyio
import anyio.lowlevel

from penstock.engine.cache.store import Place, Turn


class MemoryCacheStore:
    """Implements `CacheStore`; its time is the event loop's. What expired goes when it is looked at."""

    def __init__(self) -> None:
        self._entries: dict[Place, tuple[bytes, float]] = {}
        self._locks: dict[Place, tuple[str, float]] = {}

    async def read(self, place: Place) -> bytes | None:
        """See `CacheStore.read`."""
        await anyio.lowlevel.checkpoint()
        return self._read(place)

    async def read_or_lock(self, place: Place, token: str, seconds: float) -> bytes | Turn:
        """See `CacheStore.read_or_lock`."""
        await anyio.lowlevel.checkpoint()
        if (data := self._read(place)) is not None:
            return data
        holder = self._holder(place)
        if holder is None:
            self._locks[place] = (token, anyio.current_time() + seconds)
        return Turn.YOURS if holder in (None, token) else Turn.TAKEN

    async def renew(self, place: Place, token: str, seconds: float) -> bool:
        """See `CacheStore.renew`."""
        await anyio.lowlevel.checkpoint()
        held = self._holder(place) == token
        if held:
            self._locks[place] = (token, anyio.current_time() + seconds)
        return held

    async def fill(self, place: Place, token: str, data: bytes, ttl: float) -> bool:
        """See `CacheStore.fill`."""
        await anyio.lowlevel.checkpoint()
        held = self._holder(place) == token
        if held:
            self._entries[place] = (data, anyio.current_time() + ttl)
            del self._locks[place]
        return held

    async def unlock(self, place: Place, token: str) -> None:
        """See `CacheStore.unlock`."""
        await anyio.lowlevel.checkpoint()
        if self._holder(place) == token:
            del self._locks[place]

    async def write(self, place: Place, data: bytes, ttl: float) -> None:
        """See `CacheStore.write`."""
        await anyio.lowlevel.checkpoint()
        self._entries[place] = (data, anyio.current_time() + ttl)
        self._locks.pop(place, None)

    async def forget(self, places: Sequence[Place]) -> None:
        """See `CacheStore.forget`."""
        await anyio.lowlevel.checkpoint()
        for place in places:
            self._entries.pop(place, None)
            self._locks.pop(place, None)

    def _read(self, place: Place) -> bytes | None:
        data, until = self._entries.get(place, (None, 0.0))
        if data is not None and until <= anyio.current_time():
            del self._entries[place]
            return None
        return data

    def _holder(self, place: Place) -> str | None:
        token, until = self._locks.get(place, (None, 0.0))
        if token is not None and until <= anyio.current_time():
            del self._locks[place]
            return None
        return token
