"""What goes wrong with the history's database: whose fault it is and what the caller may do."""

from penstock.engine.errors import PenstockError
from penstock.engine.sql.errors import Kinds


class HistoryUnavailable(PenstockError):
    """The database cannot be reached, is locked or has no free connection; later it may serve.

    What was to be written is not known to be written; every call is safe to repeat.
    """


class HistoryFull(HistoryUnavailable):
    """The disk, or what the database may use of it, is full: nothing of that slice was written."""


class HistoryReadOnly(HistoryUnavailable):
    """The database cannot be written by us now: a file without permission, or a standby server."""


class HistoryTooSlow(HistoryUnavailable):
    """The database took longer than the settings allow and was stopped. A narrower search may be in time."""


class HistoryRefused(PenstockError):
    """The database refused in a way that sending again will not cure: a missing right, a missing table."""


KINDS = Kinds(HistoryUnavailable, HistoryFull, HistoryReadOnly, HistoryTooSlow, HistoryRefused)
