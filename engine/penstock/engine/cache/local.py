"""What the process keeps by itself for a moment: least recently used goes first."""

from collections import OrderedDict
from typing import NamedTuple

import anyio

from penstock.engine.cache.metrics import EVICTIONS, LOCAL_BYTES
from penstock.engine.cache.settings import CacheSettings
from penstock.engine.cache.store import Place

_OVERHEAD = 200
"""Bytes, about: key and entry objects, the table's slot. Measured with `sys.getsizeof` on Python 3.11."""
_MARKS = 1024


class _Entry(NamedTuple):
    data: bytes
    until: float
    size: int


class LocalLayer:
    """Entries of this process, bounded in number, bytes and time.

    Who is about to ask the store for an entry takes a `mark` first and shows it to `put`: what was
    forgotten meanwhile is not put back. Nothing here waits.
    """

    def __init__(self, settings: CacheSettings) -> None:
        self._settings = settings
        self._entries: OrderedDict[Place, _Entry] = OrderedDict()
        self._bytes = 0
        # How often something was forgotten, in so many classes of places: a false alarm costs one round
        # trip, and the list never grows.
        self._forgotten = [0] * _MARKS

    def __len__(self) -> int:
        return len(self._entries)

    @property
    def size(self) -> int:
        """What keys and values take, about."""
        return self._bytes

    def get(self, place: Place) -> bytes | None:
        """The entry, unless it is too old."""
        entry = self._entries.get(place)
        if entry is None:
            return None
        if entry.until <= anyio.current_time():
            self._evict(place, "expired")
            return None
        self._entries.move_to_end(place)
        return entry.data

    def mark(self, place: Place) -> int:
        """To be shown to `put`."""
        return self._forgotten[hash(place) % _MARKS]

    def put(self, place: Place, data: bytes, ttl: float, mark: int) -> None:
        """Keep `data` for `ttl` seconds or the layer's own time, whichever is less."""
        seconds = min(ttl, self._settings.local_ttl)
        size = len(place.module) + len(place.key) + len(data) + _OVERHEAD
        bounds = self._settings.local_entries, self._settings.local_bytes, seconds
        if mark != self.mark(place) or not all(bounds) or size > self._settings.local_bytes:
            return
        self._remove(place)
        self._entries[place] = _Entry(data, anyio.current_time() + seconds, size)
        self._bytes += size
        while len(self._entries) > self._settings.local_entries:
            self._evict(next(iter(self._entries)), "entries")
        while self._bytes > self._settings.local_bytes:
            self._evict(next(iter(self._entries)), "bytes")
        LOCAL_BYTES.set(self._bytes)

    def forget(self, place: Place) -> None:
        """Drop the entry, and whatever is on its way here."""
        self._forgotten[hash(place) % _MARKS] += 1
        self._remove(place)
        LOCAL_BYTES.set(self._bytes)

    def _evict(self, place: Place, reason: str) -> None:
        self._remove(place)
        EVICTIONS.inc(module=place.module, reason=reason)
        LOCAL_BYTES.set(self._bytes)

    def _remove(self, place: Place) -> None:
        entry = self._entries.pop(place, None)
        if entry is not None:
            self._bytes -= entry.size
