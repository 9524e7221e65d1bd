"""The outbox's table, in the application's own database.

Applications take it into their migrations (`METADATA` beside their own metadata), or have `penstock migrate
--outbox-url` make it. Times are milliseconds since the epoch. Columns are only ever added, and may be null or
have a default: a table made by an older version is one that lacks columns.
"""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    SmallInteger,
    Table,
    Text,
)

VERSION = 1
"""Of what a row means. Each row carries that of who wrote it: a relay leaves newer ones to newer relays."""

METADATA = MetaData()

TABLE = Table(
    "penstock_outbox",
    METADATA,
    # The order in which rows were written. Never used twice: a late relay may still think of an old one.
    Column("seq", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True),
    Column("version", SmallInteger, nullable=False),
    Column("id", Text, nullable=False),  # of the job; not unique: an idempotency key gives two rows one id
    Column("queue", Text, nullable=False),
    Column("job", Text, nullable=False),
    Column("args", LargeBinary, nullable=False),  # a msgpack map, checked
    Column("headers", Text, nullable=False),  # JSON: W3C trace context
    Column("tenant", Text),
    Column("user_name", Text),
    Column("priority", SmallInteger, nullable=False),
    Column("submitted_ms", BigInteger, nullable=False),  # on the clock of who submitted
    Column("due_ms", BigInteger),
    Column("expires_ms", BigInteger),  # not to be started from then on
    Column("unique_key", Text),
    Column("idempotency_key", Text),
    Column("durable", Boolean, nullable=False),
    Column("wait_replicas", SmallInteger, nullable=False),
    # What relays write:
    Column("taken_by", Text),
    Column("taken_ms", BigInteger),
    Column("sent_ms", BigInteger),  # the first sending of which nobody knows that it stored nothing
    Column("aside_ms", BigInteger),  # it cannot be moved; see `reason`
    Column("reason", Text),
    sqlite_autoincrement=True,
)

_aside = TABLE.c.aside_ms.is_not(None)
Index("penstock_outbox_aside", TABLE.c.aside_ms, sqlite_where=_aside, postgresql_where=_aside)
