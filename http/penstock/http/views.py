"""Answers that are dear to make and may be a moment old: made once for all who ask at the same time.

What is kept is kept by whom `create_app` was told to ask, under what was asked for and the tenant who may see
it, so nobody is answered what was made for others.
"""

import hashlib
import time
from collections.abc import Awaitable, Callable
from typing import Protocol, TypeVar

import msgspec
from quart import Response

from penstock.http.schemas import JSON, encode

T = TypeVar("T")

FRESH = 1.0
"""Seconds that an answer may be old: dashboards ask every five or more, and people press reload."""


class ViewCache(Protocol):
    """What is asked of a cache; `penstock.engine.cache.Cache` can do it."""

    async def get_or_load(
        self,
        key: str,
        load: Callable[[], Awaitable[T]],
        *,
        ttl: float,
        type: type[T],  # noqa: A002 - the cache's own word
    ) -> T:
        """What is kept under `key`, or what `load` gives, which one caller at a time runs for all."""
        ...


class _Made(msgspec.Struct, frozen=True):
    at: float
    body: bytes


class Views:
    """Makes answers, or takes those that are kept; without a cache each is made anew."""

    def __init__(self, cache: ViewCache | None = None, clock: Callable[[], float] = time.time) -> None:
        self._cache = cache
        self._clock = clock

    async def answer(
        self, name: str, tenant: str | None, asked: object, load: Callable[[], Awaitable[object]]
    ) -> Response:
        """What `load` gives, as JSON, at most `FRESH` seconds old; raises what `load` raises.

        `asked` is all that the answer depends on beside `tenant`. `load` may run in the task of another
        request, so it may not look at its own.
        """

        async def make() -> _Made:
            at = self._clock()
            return _Made(at, encode(await load()))

        if self._cache is None:
            made = await make()
            return Response(made.body, content_type=JSON)
        made = await self._cache.get_or_load(_key(name, tenant, asked), make, ttl=FRESH, type=_Made)
        headers = {
            "Age": f"{max(0.0, self._clock() - made.at):.0f}",
            "Cache-Control": f"private, max-age={FRESH:.0f}",
            "Vary": "Authorization",
        }
        return Response(made.body, headers=headers, content_type=JSON)


def _key(name: str, tenant: str | None, asked: object) -> str:
    """Of any length and any characters, as a cache takes none of such keys itself."""
    return f"{name}:{hashlib.sha256(msgspec.msgpack.encode((tenant, asked))).hexdigest()}"
