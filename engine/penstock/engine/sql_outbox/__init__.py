"""The outbox: jobs submitted inside an SQL transaction of the application's own, moved to the broker later.

`SqlOutbox.submit` writes a row through the application's own `Session` or `Connection`: the job exists if and
only if that transaction commits. An `OutboxRelay` moves rows to the broker, each once by its id
(docs/sql-outbox.md). SQLAlchemy comes with the extra `penstock[sql]`; whoever has no outbox does not import
this package.
"""

from importlib import import_module

from penstock.engine.errors import ConfigurationError

try:
    import_module("sqlalchemy")
except ModuleNotFoundError as missing:
    raise ConfigurationError("the SQL outbox needs SQLAlchemy: pip install 'penstock[sql]'") from missing

from penstock.engine.sql_outbox.database import OutboxFacts
from penstock.engine.sql_outbox.errors import OutboxRefused, OutboxUnavailable
from penstock.engine.sql_outbox.facts import Fact, Recovered, RowsSetAside, Tell, Troubled
from penstock.engine.sql_outbox.metrics import METRICS
from penstock.engine.sql_outbox.operating import AsideRow, create, discard, look, put_back
from penstock.engine.sql_outbox.relay import OutboxRelay
from penstock.engine.sql_outbox.schema import METADATA, TABLE
from penstock.engine.sql_outbox.settings import OutboxSettings
from penstock.engine.sql_outbox.submitting import OutboxReceipt, SqlOutbox

__all__ = [
    "METADATA",
    "METRICS",
    "TABLE",
    "AsideRow",
    "Fact",
    "OutboxFacts",
    "OutboxReceipt",
    "OutboxRefused",
    "OutboxRelay",
    "OutboxSettings",
    "OutboxUnavailable",
    "Recovered",
    "RowsSetAside",
    "SqlOutbox",
    "Tell",
    "Troubled",
    "create",
    "discard",
    "look",
    "put_back",
]
