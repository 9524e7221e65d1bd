"""The tables' versions: which one a database has, bringing it up to date, refusing what does not fit.

The migrations are Alembic's and come with the package. Both functions here block: they are for a command line
and for tests, not for a running loop.
"""

from functools import cache

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

from penstock.engine.errors import ConfigurationError
from penstock.engine.job_history.errors import KINDS
from penstock.engine.job_history.schema import VERSION_TABLE
from penstock.engine.job_history.settings import UPGRADE, HistorySettings
from penstock.engine.sql.engines import NoDatabase, make_engine
from penstock.engine.sql.errors import translate
from penstock.engine.sql.settings import SQLITE


def upgrade(settings: HistorySettings) -> None:
    """Create the tables or bring them up to date, in one transaction; nothing happens where they are.

    Two that run at once wait for each other. SQLite's file is created where there is none. Blocks.

    Raises:
        ConfigurationError: the tables were made by a newer version than this one.
        HistoryUnavailable, HistoryRefused: the database does not serve, or does not let us.
    """
    engine = make_engine(settings, "migrate")
    try:
        with engine.begin() as connection:
            if engine.dialect.name != SQLITE:  # SQLite's transaction is the only one that writes already
                connection.exec_driver_sql("SELECT pg_advisory_xact_lock(7350293127)")  # any number of ours
            _refuse_newer(_version(connection))
            config = _config()
            config.attributes["connection"] = connection
            command.upgrade(config, "head")
            return
    except SQLAlchemyError as error:
        translated = translate(error, settings.part, KINDS)
    finally:
        engine.dispose()
    raise translated


def current(settings: HistorySettings) -> str | None:
    """The version of the tables; None where there are none, also where SQLite has no file. Blocks.

    Raises:
        HistoryUnavailable, HistoryRefused: the database does not serve, or does not let us.
    """
    engine = make_engine(settings, "read")
    try:
        with engine.begin() as connection:
            return _version(connection)
    except NoDatabase:
        return None
    except SQLAlchemyError as error:
        translated = translate(error, settings.part, KINDS)
    finally:
        engine.dispose()
    raise translated


@cache
def newest() -> str:
    """The version that this package's code knows."""
    head = ScriptDirectory.from_config(_config()).get_current_head()
    assert head is not None, "the migrations are part of the package"
    return head


def check(connection: Connection) -> None:
    """Raise `ConfigurationError`, which says what to do, unless the tables are those that we know."""
    found = _version(connection)
    if found is None:
        raise ConfigurationError(f"the history's database has no tables yet; create them: {UPGRADE}")
    _refuse_newer(found)
    if found != newest():
        raise ConfigurationError(
            f"the history's tables are of version {found}, older than {newest()}; bring them up to date: "
            f"{UPGRADE}"
        )


def _refuse_newer(version: str | None) -> None:
    known = {script.revision for script in ScriptDirectory.from_config(_config()).walk_revisions()}
    if version is not None and version not in known:
        raise ConfigurationError(
            f"the history's tables are of version {version}, which this Penstock does not know: a newer one "
            f"made them. Install that one here too (this one knows up to {newest()})"
        )


def _version(connection: Connection) -> str | None:
    options = {"version_table": VERSION_TABLE}
    return MigrationContext.configure(connection, opts=options).get_current_revision()


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", f"{__package__}:migrations")
    config.set_main_option("path_separator", "os")
    return config
