"""The entries that one queue keeps for relays, and the sinks they wait for."""

from collections import deque

import anyio
import msgspec

from penstock.engine.outbox import ASIDE_KEPT, Entry


class SinkState(msgspec.Struct):
    """What one sink has not acknowledged, and who serves it."""

    given: int
    """Number of the last entry that was handed out."""
    pending: dict[int, str] = {}
    """Entries that are being delivered, by number → the relay that has them."""
    relays: dict[str, int] = {}
    """Relay → when it took last."""


class OutboxState:
    """The entries of one queue and its sinks; empty unless a sink is registered."""

    def __init__(self) -> None:
        self.most = 0
        self.entries: dict[int, Entry] = {}  # by number, oldest first
        self.sinks: dict[str, SinkState] = {}
        self.aside: deque[Entry] = deque(maxlen=ASIDE_KEPT)
        self.last = 0
        self.news = anyio.Event()

    def __len__(self) -> int:
        return len(self.entries) + len(self.sinks) + len(self.aside)

    @property
    def full(self) -> bool:
        """Whether as many entries wait as may."""
        return bool(self.sinks) and len(self.entries) >= self.most

    def add(self, suffix: str, now: int, record: bytes) -> None:
        """Keep an ending, and tell who waits for one."""
        self.last += 1
        self.entries[self.last] = Entry(f"0-{self.last}", suffix, now, record)
        self.news.set()
        self.news = anyio.Event()
