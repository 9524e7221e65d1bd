"""The cache as a job's context has it: what may be asked of one, whatever it stands on."""

from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar, overload

T = TypeVar("T")


class JobCache:
    """Values under keys, for a time, of one module; behind `JobContext.cache`.

    `penstock.engine.cache.Cache` is one, and says all that holds. It stands apart so that contexts can have a
    cache without the engine's core importing one.
    """

    async def get(self, key: str, *, type: type[T]) -> T | None:  # noqa: A002 - msgspec's own word
        """The value, read as `type`; None where nothing is kept. Raises `InvalidRequest` for the key."""
        raise NotImplementedError

    @overload
    async def get_or_load(
        self, key: str, load: Callable[[], Awaitable[T]], *, ttl: float, type: type[T]
    ) -> T: ...

    @overload
    async def get_or_load(
        self,
        key: str,
        load: Callable[[], Awaitable[T | None]],
        *,
        ttl: float,
        type: type[T],
        negative_ttl: float | None = None,
    ) -> T | None: ...

    async def get_or_load(
        self,
        key: str,
        load: Callable[[], Awaitable[T | None]],
        *,
        ttl: float,
        type: type[T],  # noqa: A002 - as above
        negative_ttl: float | None = None,
    ) -> T | None:
        """The value, loaded where nothing is kept, by one caller of all processes at a time.

        `ttl` and `negative_ttl` are seconds. Raises what `load` raises, and `InvalidRequest`.
        """
        raise NotImplementedError

    async def set(self, key: str, value: object, *, ttl: float) -> bool:
        """Keep `value` for `ttl` seconds; whether it is known to be kept.

        Raises `InvalidRequest` and `PayloadTooLarge`.
        """
        raise NotImplementedError

    async def delete(self, key: str) -> bool:
        """Forget what is kept; whether that is known to be done. Raises `InvalidRequest`."""
        raise NotImplementedError

    async def delete_many(self, keys: Sequence[str]) -> bool:
        """Forget what is kept under all of them, as `delete`."""
        raise NotImplementedError
