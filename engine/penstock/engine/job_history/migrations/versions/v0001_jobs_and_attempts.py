"""Finished jobs, and their attempts."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create both tables and their indexes."""
    _create_jobs()
    _create_attempts()
    for name, columns in (
        ("jobs_ended", ["ended_ms"]),
        ("jobs_tenant", ["tenant", "ended_ms"]),
        ("jobs_job", ["job", "ended_ms"]),
        ("jobs_queue", ["queue", "ended_ms"]),
        ("jobs_state", ["state", "ended_ms"]),
    ):
        op.create_index(name, "jobs", columns)
    unfinished = "state NOT IN ('succeeded', 'dead', 'cancelled', 'expired')"
    _create_partial_index("jobs_failed", "jobs", "ended_ms", "error_type IS NOT NULL")
    _create_partial_index("jobs_trace", "jobs", "trace_id", "trace_id IS NOT NULL")
    _create_partial_index("attempts_trace", "attempts", "trace_id", "error_type IS NOT NULL")
    _create_partial_index("attempts_unfinished", "attempts", "ended_ms", unfinished)


def _create_jobs() -> None:
    op.create_table(
        "jobs",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("queue", sa.Text, nullable=False),
        sa.Column("job", sa.Text, nullable=False),
        sa.Column("module", sa.Text, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("attempt", sa.Integer, nullable=False),
        sa.Column("priority", sa.SmallInteger, nullable=False),
        sa.Column("tenant", sa.Text),
        sa.Column("user_name", sa.Text),
        sa.Column("submitted_ms", sa.BigInteger, nullable=False),
        sa.Column("started_ms", sa.BigInteger),
        sa.Column("ended_ms", sa.BigInteger, nullable=False),
        sa.Column("worker", sa.Text),
        sa.Column("trace_id", sa.Text),
        sa.Column("error_type", sa.Text),
        sa.Column("error_message", sa.Text),
        sa.Column("error_fingerprint", sa.Text),
        sa.Column("result", sa.LargeBinary),
        sa.Column("event_id", sa.Text, nullable=False),
    )


def _create_attempts() -> None:
    op.create_table(
        "attempts",
        sa.Column("job_id", sa.Text, nullable=False),
        sa.Column("attempt", sa.Integer, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("started_ms", sa.BigInteger),
        sa.Column("ended_ms", sa.BigInteger, nullable=False),
        sa.Column("worker", sa.Text),
        sa.Column("trace_id", sa.Text),
        sa.Column("error_type", sa.Text),
        sa.Column("error_message", sa.Text),
        sa.Column("error_fingerprint", sa.Text),
        sa.Column("error_traceback", sa.Text),
        sa.PrimaryKeyConstraint("job_id", "attempt"),
    )


def _create_partial_index(name: str, table: str, column: str, where: str) -> None:
    condition = sa.text(where)
    op.create_index(name, table, [column], sqlite_where=condition, postgresql_where=condition)
