"""Where an outbox is, and how its rows are moved."""

from typing import ClassVar

from penstock.engine.errors import ConfigurationError
from penstock.engine.sql.settings import DatabaseSettings
from penstock.engine.store import SLICE

CREATE = "penstock migrate --outbox-url"
"""The command that makes the table; it calls `database.create`."""


class OutboxSettings(DatabaseSettings, frozen=True, kw_only=True):
    """The settings of one outbox's relay. Times are seconds."""

    part: ClassVar[str] = "outbox"
    made_by: ClassVar[str] = CREATE
    private: ClassVar[bool] = False  # the application's own

    readers: int = 1
    batch: int = 200
    """Rows taken and sent at once; 200 large ones are 50 MB."""
    poll: float = 0.5
    """Between two looks at a table in which nothing waited.

    There is no notification: PostgreSQL's `NOTIFY` has transactions that use it commit one after the other.
    """
    silence: float = 30.0
    """After so long rows that a relay has taken and not finished are others' to take; it sends none later."""
    look: float = 10.0
    """Between two counts of what waits, which read the whole table."""

    def __post_init__(self) -> None:
        """Raise `ConfigurationError` for what cannot be."""
        super().__post_init__()
        if not (1 <= self.batch <= SLICE and 0 < self.poll <= 60 and self.silence >= 1 and self.look > 0):
            raise ConfigurationError(
                f"an outbox's batch is 1 to {SLICE} rows, its poll up to 60 s, its silence at least 1 s, "
                "its look positive"
            )
