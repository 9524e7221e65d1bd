"""Refusing jobs before the server has no memory left: what it holds must still be worked off.

The same look tells whether relays are registered, and how many endings may wait for them: whoever has none
pays nothing for them.
"""

from collections.abc import Awaitable, Callable
from typing import Any

import anyio
import msgspec

from penstock.engine.errors import StoreFull, StoreRefused

LIMIT = 0.9
"""Part of `maxmemory` above which no jobs are taken in; the rest is for working off those that are there."""
INTERVAL = 1.0
"""Seconds between two looks at a queue's server: of 100,000 jobs of 200 bytes a second, 20 MB pass unseen."""


class _Seen(msgspec.Struct):
    at: float
    full: str | None = None  # why nothing is taken in
    most_endings: int = 0


class MemoryWatch:
    """Knows, about a second old, whether a queue's server is nearly full.

    `look` asks the server of one queue for {bytes used, limit, endings that may wait for relays}; `limit` is
    a fraction of the second. A server without a `maxmemory`, or whose ACL hides it, is never nearly full.
    """

    def __init__(self, look: Callable[[str], Awaitable[Any]], limit: float = LIMIT) -> None:
        self._look = look
        self._limit = limit
        self._seen: dict[str, _Seen] = {}

    async def check(self, queue: str) -> int:
        """How many endings may wait for the queue's relays, 0 where there are none or none is known yet.

        Raises `StoreFull` while the server is nearly full; `StoreUnavailable` where it does not answer.
        """
        seen = self._seen.get(queue)
        if seen is None or anyio.current_time() - seen.at >= INTERVAL:
            seen = await self._renew(queue, seen)
        if seen.full is not None:
            raise StoreFull(seen.full)
        return seen.most_endings

    async def part(self, queue: str) -> float:
        """The part of its `maxmemory` that the queue's server uses, asked now; 0.0 where it does not tell.

        Raises `StoreUnavailable` where it does not answer.
        """
        try:
            used, limit, _ = await self._look(queue)
        except StoreRefused:
            return 0.0
        return float(used / limit) if limit else 0.0

    async def _renew(self, queue: str, seen: _Seen | None) -> _Seen:
        # Noted before the question: while one asks, the others go by what was known.
        seen = self._seen[queue] = _Seen(
            anyio.current_time(), seen.full if seen else None, seen.most_endings if seen else 0
        )
        try:
            used, limit, seen.most_endings = await self._look(queue)
        except StoreRefused:  # this user may not even ask: then the server's own refusal must do
            return seen
        except BaseException:
            seen.at -= INTERVAL
            raise
        seen.full = None
        if limit and used > limit * self._limit:
            seen.full = (
                f"Redis uses {used / limit:.0%} of its maxmemory of {limit:,} bytes, and above "
                f"{self._limit:.0%} it takes no jobs; nothing was stored. Send it again when work is done."
            )
        return seen
