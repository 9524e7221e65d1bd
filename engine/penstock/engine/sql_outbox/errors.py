"""What goes wrong with the outbox's database while rows are moved; who submits has SQLAlchemy's errors."""

from penstock.engine.errors import PenstockError
from penstock.engine.sql.errors import Kinds


class OutboxUnavailable(PenstockError):
    """The database cannot be reached, is locked, full, or read-only; later it may serve. Nothing is lost."""


class OutboxRefused(PenstockError):
    """The database refused in a way that sending again will not cure: a missing right, a missing table."""


KINDS = Kinds(OutboxUnavailable, OutboxUnavailable, OutboxUnavailable, OutboxUnavailable, OutboxRefused)
