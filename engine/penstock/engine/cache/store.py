"""What the cache needs of whatever keeps its entries: strings that expire, and a lock for each."""

from collections.abc import Sequence
from enum import Enum
from typing import NamedTuple, Protocol


class Place(NamedTuple):
    """Where an entry lies: a key belongs to a module."""

    module: str
    key: str


class Turn(Enum):
    """What a read learns that finds no entry."""

    YOURS = "yours"
    """Whoever asked is to load it and holds its lock."""
    TAKEN = "taken"
    """Somebody else holds it."""


class CacheStore(Protocol):
    """Every method is safe to send twice, and raises `StoreUnavailable` or `StoreRefused`.

    Seconds throughout. A token is its holder's own; a lock that ran out belongs to nobody. Cancelled, a
    method may have happened or not.
    """

    async def read(self, place: Place) -> bytes | None:
        """The entry, if there is one."""
        ...

    async def read_or_lock(self, place: Place, token: str, seconds: float) -> bytes | Turn:
        """The entry; where there is none, the lock if nobody holds it."""
        ...

    async def renew(self, place: Place, token: str, seconds: float) -> bool:
        """Hold the lock for so long from now; whether it was still held."""
        ...

    async def fill(self, place: Place, token: str, data: bytes, ttl: float) -> bool:
        """Store what was loaded and give up the lock; nothing happens where the lock is not held any more.

        That is so when the entry was written or deleted meanwhile: what was loaded may be older than that.
        Returns whether it was held; sent twice, False though the first did it.
        """
        ...

    async def unlock(self, place: Place, token: str) -> None:
        """Give up the lock, if it is held."""
        ...

    async def write(self, place: Place, data: bytes, ttl: float) -> None:
        """Store an entry and void its lock."""
        ...

    async def forget(self, places: Sequence[Place]) -> None:
        """Delete entries and void their locks."""
        ...
