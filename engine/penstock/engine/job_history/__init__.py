"""The history: every finished job and its attempts in an SQL database, kept longer than Redis should.

`open_history` gives a `History`: its `writer` takes endings, `search` and `read` find them again, `purge`
removes what is old. SQLite serves one machine, PostgreSQL several (docs/history.md). Whoever does not keep a
history does not import this package: SQLAlchemy and Alembic come with the extra `penstock[history]`.
"""

from importlib import import_module

from penstock.engine.errors import ConfigurationError

try:
    import_module("sqlalchemy")
    import_module("alembic")
except ModuleNotFoundError as missing:
    raise ConfigurationError(
        f"the history needs the package {missing.name}: pip install 'penstock[history]'"
    ) from missing

from penstock.engine.job_history.errors import (
    HistoryFull,
    HistoryReadOnly,
    HistoryRefused,
    HistoryTooSlow,
    HistoryUnavailable,
)
from penstock.engine.job_history.history import History, open_history
from penstock.engine.job_history.metrics import METRICS
from penstock.engine.job_history.migrating import current, upgrade
from penstock.engine.job_history.retention import Retention, keep_within
from penstock.engine.job_history.searching import Page, Search
from penstock.engine.job_history.settings import HistorySettings
from penstock.engine.job_history.views import PastAttempt, PastJob
from penstock.engine.job_history.writer import HistoryWriter

__all__ = [
    "METRICS",
    "History",
    "HistoryFull",
    "HistoryReadOnly",
    "HistoryRefused",
    "HistorySettings",
    "HistoryTooSlow",
    "HistoryUnavailable",
    "HistoryWriter",
    "Page",
    "PastAttempt",
    "PastJob",
    "Retention",
    "Search",
    "current",
    "keep_within",
    "open_history",
    "upgrade",
]
