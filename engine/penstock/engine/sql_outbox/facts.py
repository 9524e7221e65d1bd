"""What a relay of an outbox tells beside the engine's own events: a short list for whoever keeps its log.

Told synchronously, in the relay's own task; who is told may not block or raise.
"""

from collections.abc import Callable

import msgspec


class Troubled(msgspec.Struct, frozen=True):
    """The database, or a queue of the broker, did not do its part; it is asked again in `delay` seconds."""

    what: str
    """`database`, or the name of the queue."""
    error: Exception
    failures: int
    """In a row, this one included."""
    delay: float


class Recovered(msgspec.Struct, frozen=True):
    """It does again."""

    what: str
    failures: int


class RowsSetAside(msgspec.Struct, frozen=True):
    """Rows that cannot be moved stay in the table, where they hold nobody up."""

    count: int
    example: str
    """A job's id, and why."""


Fact = Troubled | Recovered | RowsSetAside
Tell = Callable[[Fact], None]


def tell_nobody(_fact: Fact) -> None:
    """For relays that keep no log."""
