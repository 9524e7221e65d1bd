"""Run by Alembic: migrations in the transaction of whoever called `migrating.upgrade`."""

from alembic import context

from penstock.engine.job_history.schema import METADATA, VERSION_TABLE

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=METADATA,
    version_table=VERSION_TABLE,
    transactional_ddl=True,  # SQLite's too, since we say where its transactions begin
)
context.run_migrations()
