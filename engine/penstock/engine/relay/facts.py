"""What a relay tells beside the engine's own events: a short list for whoever keeps its log.

Told synchronously, in the relay's own task; who is told may not block or raise.
"""

from collections.abc import Callable

import msgspec


class SinkFailed(msgspec.Struct, frozen=True):
    """A sink did not take a batch; the same one comes again after `delay` seconds."""

    sink: str
    queue: str
    error: Exception
    failures: int
    """In a row, this one included."""
    delay: float


class SinkRecovered(msgspec.Struct, frozen=True):
    """A sink takes endings again."""

    sink: str
    queue: str
    failures: int


class EndingsSetAside(msgspec.Struct, frozen=True):
    """Entries that nobody can read were put where they hold nobody up."""

    sink: str
    queue: str
    count: int
    example: str
    """A job's id and why its entry cannot be read."""


Fact = SinkFailed | SinkRecovered | EndingsSetAside
Tell = Callable[[Fact], None]


def tell_nobody(_fact: Fact) -> None:
    """For relays that keep no log."""
