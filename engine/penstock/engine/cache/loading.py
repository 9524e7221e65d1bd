"""An entry for a process that has not got it: from the store, or by a load that no other process runs too."""

import random
import secrets
from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import partial
from typing import Any, NamedTuple

import anyio
import msgspec

from penstock.engine.cache.local import LocalLayer
from penstock.engine.cache.metrics import ERRORS, LOAD_SECONDS, LOADS, WAIT_SECONDS
from penstock.engine.cache.patience import Patience
from penstock.engine.cache.settings import CacheSettings
from penstock.engine.cache.store import CacheStore, Place, Turn
from penstock.engine.cache.values import NOTHING, decode, encode
from penstock.engine.errors import InvalidRequest, StoreRefused, StoreUnavailable

_FIRST_PAUSE, _LONGEST_PAUSE = 0.01, 0.1
"""Seconds between two looks whether another process has loaded; of those who wait in a process one looks."""


class Order(NamedTuple):
    """What somebody wants, and how it is got where it is not kept; times to live in seconds."""

    place: Place
    load: Callable[[], Awaitable[object]]
    type: Any  # whatever msgspec takes for one
    ttl: float
    negative_ttl: float | None


class Landed(NamedTuple):
    """The value as bytes, and what the read counts as."""

    data: bytes
    result: str


class Loading:
    """Everything here runs in the task of whoever called, but the renewal of its lock."""

    def __init__(
        self,
        store: CacheStore,
        settings: CacheSettings,
        local: LocalLayer,
        patience: Patience,
        rng: random.Random,
    ) -> None:
        self._store = store
        self._settings = settings
        self._local = local
        self._patience = patience
        self._rng = rng

    def expiry(self, ttl: float) -> float:
        """A little less than `ttl`, so that what was stored together does not end together."""
        return ttl * (1 - self._settings.jitter * self._rng.random())

    async def land(self, order: Order) -> Landed:
        """The value, from the store or loaded; raises what the load raises, nothing of the store's.

        Cancelled, it gives up the lock, so that another process need not wait for its end.
        """
        place, token = order.place, secrets.token_hex(8)
        mark = self._local.mark(place)
        try:
            found = await self._turn(order, token)
        except (StoreUnavailable, StoreRefused):
            data = await self._run(order)
            self._put(order, data, mark)
            return Landed(data, "error")
        except BaseException:  # cancelled: perhaps the lock is held, and nobody knows
            await self._unlock(place, token)
            raise
        if isinstance(found, bytes):
            self._local.put(place, found, self._settings.local_ttl, mark)
            return Landed(found, "negative" if found == NOTHING else "hit")
        if found is Turn.TAKEN:
            return Landed(await self._run(order), "miss")
        return Landed(await self._load_and_fill(order, token, mark), "miss")

    async def _turn(self, order: Order, token: str) -> bytes | Turn:
        """The entry, or the lock; `TAKEN` once the wait for another process has been long enough."""
        place, pause = order.place, _FIRST_PAUSE
        started = anyio.current_time()
        while True:
            look = partial(self._store.read_or_lock, place, token, self._settings.lock)
            found = await self._patience.ask(place.module, "read", look)
            waited = anyio.current_time() - started
            if isinstance(found, bytes) and not await self._fits(order, found):
                continue
            if found is not Turn.TAKEN or waited >= self._settings.wait:
                if pause > _FIRST_PAUSE:
                    WAIT_SECONDS.observe(waited, module=place.module, where="elsewhere")
                return found
            await anyio.sleep(self._rng.uniform(pause / 2, pause))
            pause = min(2 * pause, _LONGEST_PAUSE)

    async def _fits(self, order: Order, data: bytes) -> bool:
        """Whether an entry is of the type that is wanted; one of another version of the code is deleted."""
        try:
            decode(data, order.type)
        except msgspec.DecodeError:
            ERRORS.inc(module=order.place.module, command="decode")
            forget = partial(self._store.forget, [order.place])
            await self._patience.ask(order.place.module, "forget", forget)
            return False
        return True

    async def _load_and_fill(self, order: Order, token: str, mark: int) -> bytes:
        place, filled = order.place, False
        try:
            data = await self._run_renewing(order, token)
            ttl = self._ttl(order, data)
            if ttl is not None:
                fill = partial(self._store.fill, place, token, data, self.expiry(ttl))
                try:
                    filled = await self._patience.ask(place.module, "fill", fill)
                except (StoreUnavailable, StoreRefused):
                    self._put(order, data, mark)
            if filled:
                self._put(order, data, mark)
            return data
        finally:
            if not filled:
                await self._unlock(place, token)

    async def _run_renewing(self, order: Order, token: str) -> bytes:
        """Load, and hold the lock for as long as that takes."""
        data, failure = b"", None
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._renew, order.place, token)
            try:
                data = await self._run(order)
            except Exception as error:  # raised below: out of here it would come in a group
                failure = error
            tasks.cancel_scope.cancel()
        if failure is not None:
            raise failure
        return data

    async def _renew(self, place: Place, token: str) -> None:
        renew = partial(self._store.renew, place, token, self._settings.lock)
        held = True
        while held:
            await anyio.sleep(self._settings.lock / 3)
            with suppress(StoreUnavailable, StoreRefused):  # perhaps the next time
                held = await self._patience.ask(place.module, "renew", renew)

    async def _run(self, order: Order) -> bytes:
        """What the load gives, as bytes that are of the type that it should be."""
        started, result = anyio.current_time(), "cancelled"
        try:
            data = encode(await order.load())
            decode_for(order, data)
            result = "none" if data == NOTHING else "loaded"
            if len(data) > self._settings.value_bytes:
                result = "too_large"
            return data
        except Exception:
            result = "failed"
            raise
        finally:
            LOADS.inc(module=order.place.module, result=result)
            LOAD_SECONDS.observe(anyio.current_time() - started, module=order.place.module)

    def _put(self, order: Order, data: bytes, mark: int) -> None:
        ttl = self._ttl(order, data)
        if ttl is not None:
            self._local.put(order.place, data, ttl, mark)

    def _ttl(self, order: Order, data: bytes) -> float | None:
        """How long to keep it; None for not at all."""
        if len(data) > self._settings.value_bytes:
            return None
        return order.negative_ttl if data == NOTHING else order.ttl

    async def _unlock(self, place: Place, token: str) -> None:
        # Shielded, or a cancelled loader would make other processes wait for the end of its lock. The
        # patience with the store bounds it.
        with anyio.CancelScope(shield=True), suppress(StoreUnavailable, StoreRefused):
            unlock = partial(self._store.unlock, place, token)
            await self._patience.ask(place.module, "unlock", unlock)


def decode_for(order: Order, data: bytes) -> Any:
    """The value as the order's type; raises `InvalidRequest` where the load gave another one."""
    try:
        return decode(data, order.type)
    except msgspec.DecodeError as error:
        raise InvalidRequest(
            f"what was loaded for {order.place.key!r} is not of the type that was asked for: {error}",
            field="type",
        ) from error
