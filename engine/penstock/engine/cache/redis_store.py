"""A cache's entries in Redis or Valkey, one server or many."""

import math
from collections.abc import Sequence

import anyio

from penstock.engine import keys
from penstock.engine.cache import scripts
from penstock.engine.cache.store import Place, Turn
from penstock.engine.errors import StoreRefused
from penstock.engine.seams import Seams
from penstock.engine.transport import ClusterAddress, Command, Link, Reply, Script, Traced
from penstock.engine.transport.slots import slot_of


class RedisCacheStore:
    """Implements `CacheStore` on a link, which stays the caller's to close.

    With `seams` each call is an operation, so a client span. The link may be the one that jobs go by; where
    the cache has a server of its own, a server that may evict, jobs are not refused for its sake.
    """

    def __init__(self, link: Link, seams: Seams | None = None) -> None:
        self._link: Link = link if seams is None else Traced(link, seams.around_operation)
        self._many = isinstance(link.address, ClusterAddress)

    async def read(self, place: Place) -> bytes | None:
        """See `CacheStore.read`."""
        return _bytes(await self._link.execute("GET", keys.cached(*place)))

    async def read_or_lock(self, place: Place, token: str, seconds: float) -> bytes | Turn:
        """See `CacheStore.read_or_lock`."""
        reply = await self._run(scripts.READ_OR_LOCK, place, token, _milliseconds(seconds))
        if isinstance(reply, int):
            return Turn.YOURS if reply else Turn.TAKEN
        return _bytes(reply) or b""

    async def renew(self, place: Place, token: str, seconds: float) -> bool:
        """See `CacheStore.renew`."""
        return await self._run(scripts.RENEW, place, token, _milliseconds(seconds)) == 1

    async def fill(self, place: Place, token: str, data: bytes, ttl: float) -> bool:
        """See `CacheStore.fill`."""
        return await self._run(scripts.FILL, place, token, data, _milliseconds(ttl)) == 1

    async def unlock(self, place: Place, token: str) -> None:
        """See `CacheStore.unlock`."""
        await self._run(scripts.UNLOCK, place, token)

    async def write(self, place: Place, data: bytes, ttl: float) -> None:
        """See `CacheStore.write`."""
        await self._run(scripts.WRITE, place, data, _milliseconds(ttl))

    async def forget(self, places: Sequence[Place]) -> None:
        """See `CacheStore.forget`; of a Cluster each slot is asked by itself, all at once."""
        commands = [("UNLINK", keys.cached(*place), keys.cache_lock(*place)) for place in places]
        slots: dict[int, list[Command]] = {}
        for command in commands:
            slots.setdefault(slot_of(command[1]) if self._many else 0, []).append(command)
        failures: list[Exception] = []

        async def send(batch: list[Command]) -> None:
            try:
                replies = await self._link.pipeline(batch)
                failures.extend(reply for reply in replies if isinstance(reply, StoreRefused))
            except Exception as error:  # raised below: whoever calls expects it bare, not in a group
                failures.append(error)

        async with anyio.create_task_group() as tasks:
            for batch in slots.values():
                tasks.start_soon(send, batch)
        if failures:
            raise failures[0]

    async def _run(self, script: Script, place: Place, *args: str | bytes | int) -> Reply:
        return await self._link.script(script, (keys.cached(*place), keys.cache_lock(*place)), args)


def _milliseconds(seconds: float) -> int:
    return max(1, math.floor(seconds * 1000))


def _bytes(reply: Reply) -> bytes | None:
    if reply is None or isinstance(reply, bytes):
        return reply
    raise StoreRefused(f"Redis answered {type(reply).__name__} where an entry of the cache was expected")
