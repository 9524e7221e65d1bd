"""Where the history is kept, and how long callers wait for it."""

from typing import ClassVar

from penstock.engine.sql.settings import DatabaseSettings

UPGRADE = "penstock migrate"
"""The command that brings a database up to date; it calls `migrating.upgrade`."""


class HistorySettings(DatabaseSettings, frozen=True, kw_only=True):
    """The settings of one history. Times are seconds."""

    part: ClassVar[str] = "history"
    made_by: ClassVar[str] = UPGRADE

    results: bool = False
    """Whether results of jobs are kept, where they are told."""
