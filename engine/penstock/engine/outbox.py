"""What a store keeps for relays: every ending, until each registered sink has acknowledged it.

A **sink** is where endings go, known by its name; a **relay** is a process that takes them there, known by
an id it makes itself. Any number of relays may serve one sink: each entry is with one of them at a time.
Every method is one atomic step and safe to send twice, as those of `penstock.engine.store.Store`; times are
milliseconds on the store's clock. All raise `StoreUnavailable`.
"""

import re
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from typing import Protocol

import msgspec

from penstock.engine.errors import ConfigurationError
from penstock.engine.store import Store

SINK_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,31}")
ASIDE_KEPT = 100
"""Unreadable entries that a queue keeps to be looked at, the last ones."""


class Entry(msgspec.Struct, frozen=True, gc=False):
    """One ending, as it was when it was made: later changes to the job do not show."""

    id: str
    suffix: str
    at: int
    record: bytes
    """Undecoded: `penstock.engine.record.parse_record`."""


class Taken(msgspec.Struct, frozen=True):
    """The answer to a relay that asks for endings."""

    now: int
    behind: int
    """Entries that the sink has not acknowledged, these included."""
    since: int | None
    """When the oldest of them was made."""
    last: str
    """What had been handed out before: `News.wait` for what comes after it."""
    entries: list[Entry]


class SinkBacklog(msgspec.Struct, frozen=True):
    """How far one sink is behind with one queue."""

    sink: str
    behind: int
    since: int | None
    relays: int
    """Relays that serve it, among them those that have died and are not missed yet."""


class Backlog(msgspec.Struct, frozen=True):
    """How far everything that is registered with one queue is behind."""

    now: int
    most: int
    """Entries that may wait before submissions are refused; 0 where no sink is registered."""
    aside: int
    """Unreadable entries that were set aside and are kept."""
    sinks: list[SinkBacklog]


class News(Protocol):
    """Word of new entries of one queue."""

    async def wait(self, after: str, seconds: float) -> None:
        """Return when there is an entry behind `after`, at the latest after so many seconds.

        Raises `StoreUnavailable` when the connection is lost: enter `Outbox.news` again.
        """
        ...


class Outbox(Protocol):
    """The relays' door to a store. The Redis store's and the memory store's pass one suite."""

    async def enlist(self, queue: str, sink: str, most: int) -> bool:
        """Register a sink; True where it is new.

        From now on every ending of the queue is kept until it has acknowledged it. While `most` entries wait,
        submissions are refused with `QueueFull`; of several who say so the last one counts.
        """
        ...

    async def withdraw(self, queue: str, sink: str) -> int | None:
        """Unregister a sink; how many entries it had not acknowledged, None where it is not registered."""
        ...

    async def take(self, queue: str, sink: str, relay: str, count: int, silence: int) -> Taken | None:
        """Up to `count` endings for a sink; None where it is not registered.

        What the relay has and has not acknowledged comes first, and alone. Then what another one has that has
        not taken for `silence` milliseconds; then new ones, oldest first.
        """
        ...

    async def acknowledge(self, queue: str, sink: str, ids: Sequence[str]) -> int:
        """The sink has these; they go once every sink has them. How many were acknowledged now."""
        ...

    async def set_aside(self, queue: str, sink: str, ids: Sequence[str]) -> int:
        """Acknowledge what cannot be read, and keep the last `ASIDE_KEPT`; how many were set aside now."""
        ...

    async def retire(self, queue: str, sink: str, relay: str) -> int:
        """A relay ends; how many entries it leaves to the next one that takes (1,000 for more)."""
        ...

    async def backlog(self, queue: str) -> Backlog:
        """How far every sink is behind, by name."""
        ...

    def news(self, queue: str) -> AbstractAsyncContextManager[News]:
        """Word of new entries while the block is open."""
        ...


class StoreWithOutbox(Store, Protocol):
    """A store that can serve relays; both of ours can."""

    @property
    def outbox(self) -> Outbox:
        """Their door to it."""
        ...


def check_sink(name: str) -> str:
    """Return `name` if it may name a sink; raise `ConfigurationError` otherwise."""
    if SINK_NAME.fullmatch(name) is None:
        raise ConfigurationError(
            f"{name!r} cannot name a sink: expected 1 to 32 of a-z, 0-9, _ and -, "
            "starting with a letter or digit"
        )
    return name
