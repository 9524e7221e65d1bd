"""The cache as modules use it."""

import random
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from copy import copy
from functools import partial
from typing import TypeVar, overload

import anyio.lowlevel
import msgspec

from penstock.engine.cache.flights import Flights
from penstock.engine.cache.loading import Landed, Loading, Order, decode_for
from penstock.engine.cache.local import LocalLayer
from penstock.engine.cache.metrics import ERRORS, READS
from penstock.engine.cache.patience import Patience
from penstock.engine.cache.settings import CacheSettings
from penstock.engine.cache.store import CacheStore, Place
from penstock.engine.cache.values import NOTHING, check_module, check_place, check_ttl, decode, encode
from penstock.engine.errors import PayloadTooLarge, StoreRefused, StoreUnavailable
from penstock.engine.job_cache import JobCache

T = TypeVar("T")

_AT_ONCE = 500
"""Keys deleted by one command's batch: few enough to leave the server free for others in between."""


class Cache(JobCache):
    """Values under keys, for a time: of this module in all processes. Any number of tasks may use it at once.

    A key is 1 to 250 printable ASCII characters without space and braces; times to live are seconds. Values
    are what msgspec knows; each reader gets a copy, read as the `type` it names. **A cache whose
    store is away fails nobody**: reads find nothing, `get_or_load` loads, writing and deleting say False.
    Cancelled, a change may have happened or not.

    One a process: the views that `for_module` gives share what the process keeps. `store` stays the caller's
    to close. See docs/cache.md.
    """

    def __init__(
        self, store: CacheStore, settings: CacheSettings | None = None, *, rng: random.Random | None = None
    ) -> None:
        self.module = ""
        """Whose entries these are: a name space, and a label of the metrics."""
        self._settings = settings or CacheSettings()
        self._store = store
        self._local = LocalLayer(self._settings)
        self._patience = Patience(self._settings)
        self._flights: Flights[Landed] = Flights()
        self._loading = Loading(store, self._settings, self._local, self._patience, rng or random.Random())

    def for_module(self, name: str) -> "Cache":
        """The same cache for the entries of one module. Raises `ConfigurationError` for an illegal name."""
        view = copy(self)
        view.module = check_module(name)
        return view

    async def get(self, key: str, *, type: type[T]) -> T | None:  # noqa: A002 - msgspec's own word
        """The value; None where nothing is kept, and where it is kept that there is nothing.

        What is of another type counts as nothing. Raises `InvalidRequest` for the key alone.
        """
        place = check_place(self.module, key)
        await anyio.lowlevel.checkpoint()  # also where nothing has to be waited for: others get their turn
        data = self._local.get(place)
        result = "hit_local"
        try:
            if data is None:
                data, result = await self._read(place), "hit"
            value = None if data is None else decode(data, type)
        except (StoreUnavailable, StoreRefused):
            result, value = "error", None
        except msgspec.DecodeError:
            ERRORS.inc(module=self.module, command="decode")
            result, value = "miss", None
        else:
            result = "miss" if data is None else "negative" if data == NOTHING else result
        READS.inc(module=self.module, result=result)
        return value

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

        `load` runs in the task of the caller that came first; its cancellation is the load's, and the next
        one who waits loads instead. What `load` raises is raised to all that waited in this process, and not
        kept. None is kept for `negative_ttl`, by default not at all.

        A value that is too large is returned and not kept. Raises what `load` raises, and `InvalidRequest`
        for the key, a time to live, or a loaded value that is not of `type`.
        """
        place = check_place(self.module, key)
        check_ttl(ttl)
        if negative_ttl is not None:
            check_ttl(negative_ttl, "negative_ttl")
        await anyio.lowlevel.checkpoint()  # as above
        data = self._local.get(place)
        if data is not None:
            with suppress(msgspec.DecodeError):  # another caller's type: the store's entry will be judged
                value: T = decode(data, type)
                READS.inc(module=self.module, result="negative" if data == NOTHING else "hit_local")
                return value
        order = Order(place, load, type, ttl, negative_ttl)
        landed = await self._flights.join(place, partial(self._loading.land, order))
        READS.inc(module=self.module, result=landed.result)
        loaded: T = decode_for(order, landed.data)
        return loaded

    async def set(self, key: str, value: object, *, ttl: float) -> bool:
        """Keep `value`, in the place of what is kept or being loaded; whether the store is known to have it.

        None is kept too: that there is nothing. Raises `InvalidRequest` for the key, the value or `ttl`,
        `PayloadTooLarge` for a value of more than `value_bytes` bytes.
        """
        place, data = check_place(self.module, key), encode(value)
        most = self._settings.value_bytes
        if len(data) > most:
            raise PayloadTooLarge(
                f"the value for {key!r} takes {len(data):,} bytes: at most {most:,} may be kept",
                field="value",
            )
        seconds = self._loading.expiry(check_ttl(ttl))
        return await self._change([place], "write", partial(self._store.write, place, data, seconds))

    async def delete(self, key: str) -> bool:
        """Forget what is kept; see `delete_many`."""
        return await self.delete_many([key])

    async def delete_many(self, keys: Sequence[str]) -> bool:
        """Forget what is kept; whether the store is known to have done so.

        Where it is not, other processes may read it until it expires. What is being loaded is not kept, in
        whichever process. Other processes see it after `local_ttl` seconds at the latest. Raises
        `InvalidRequest` for a key.
        """
        places = [check_place(self.module, key) for key in keys]
        done = True
        for start in range(0, len(places), _AT_ONCE):
            some = places[start : start + _AT_ONCE]
            done &= await self._change(some, "forget", partial(self._store.forget, some))
        return done

    async def _read(self, place: Place) -> bytes | None:
        mark = self._local.mark(place)
        data = await self._patience.ask(self.module, "read", partial(self._store.read, place))
        if data is not None:
            self._local.put(place, data, self._settings.local_ttl, mark)
        return data

    async def _change(
        self, places: Sequence[Place], command: str, call: Callable[[], Awaitable[None]]
    ) -> bool:
        """Change the store, and see to it that nobody here keeps what was read before that."""
        self._forget(places)
        try:
            await self._patience.ask(self.module, command, call, even_resting=True)
        except (StoreUnavailable, StoreRefused):
            return False
        finally:
            self._forget(places)
        return True

    def _forget(self, places: Sequence[Place]) -> None:
        for place in places:
            self._flights.forget(place)
            self._local.forget(place)
