"""Where a database is, and how long callers wait for it."""

from pathlib import Path
from typing import ClassVar

import msgspec
from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

from penstock.engine.errors import ConfigurationError

SQLITE = "sqlite"
POSTGRESQL = "postgresql"


class DatabaseSettings(msgspec.Struct, frozen=True, kw_only=True):
    """The settings of one part's database. Times are seconds."""

    part: ClassVar[str]
    """Whose it is, as errors say it: `history`."""
    made_by: ClassVar[str]
    """The command that makes its tables, as errors say it."""
    private: ClassVar[bool] = True
    """Whether nobody else keeps anything in it: then its settings, like SQLite's journal, are ours too."""

    url: str
    """`sqlite:///relative/path.db`, `sqlite:////absolute/path.db` or `postgresql://user:password@host/name`."""
    readers: int = 4
    """Connections that read, beside the one that writes."""
    wait: float = 5.0
    """How long a call waits for a free connection, and the database for a lock or for its server."""
    read_within: float = 10.0
    """How long one statement that reads may take; a cancelled one, too, ends after it at the latest."""
    write_within: float = 10.0
    """How long one statement that writes may take (PostgreSQL's `statement_timeout`)."""

    def __post_init__(self) -> None:
        """Raise `ConfigurationError` for what cannot be."""
        database_url(self.url, self.part)
        if self.readers < 1:
            raise ConfigurationError(
                f"the {self.part} needs at least 1 connection to read, not {self.readers}"
            )
        for name in ("wait", "read_within", "write_within"):
            if not 0 < getattr(self, name) <= 3600:
                raise ConfigurationError(
                    f"{name} of the {self.part} is {getattr(self, name)}: expected up to 3600 s"
                )

    def __repr__(self) -> str:
        return f"{type(self).__name__}({database_url(self.url, self.part)!r})"  # without the password


def database_url(text: str, part: str) -> URL:
    """The address, with its driver chosen.

    Raises:
        ConfigurationError: it is no address, of another database, or of one that is in memory, which
            readers and writer would each have for themselves.
    """
    try:
        url = make_url(text)
    except (ArgumentError, ValueError):  # whose texts would show a password
        raise ConfigurationError(
            f"the {part}'s address cannot be read: expected sqlite:///path or postgresql://host/name"
        ) from None
    backend = url.get_backend_name()
    if backend == SQLITE:
        if not url.database or url.database.startswith((":memory:", "file:")):
            raise ConfigurationError(f"the {part} in SQLite needs the path of a file: sqlite:///{part}.db")
        return url.set(drivername="sqlite+pysqlite")
    if backend in (POSTGRESQL, "postgres"):
        return url.set(drivername="postgresql+psycopg")
    raise ConfigurationError(f"the {part} is kept in SQLite or PostgreSQL, not in {backend}")


def namespace(url: URL) -> str:
    """The database's name, as spans show it: of SQLite the name of the file."""
    name = url.database or ""
    return Path(name).name if url.get_backend_name() == SQLITE else name
