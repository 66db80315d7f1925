"""What resuming and sharing need: who is at work, where a task's time went, whose money an answer cost."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def _rebuild_run_cases(*, with_rowid: bool) -> None:
    """One tree less to keep for every case; only SQLite knows the difference."""
    if op.get_bind().dialect.name != "sqlite":
        return
    op.create_table(
        "run_cases_new",
        sa.Column("run", sa.Integer(), nullable=False),
        sa.Column("case_id", sa.Text(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("case", sa.Integer()),
        sa.PrimaryKeyConstraint("run", "case_id", name="pk_run_cases"),
        sa.ForeignKeyConstraint(["run"], ["runs.id"], name="fk_run_cases_run", ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["case"], ["cases.id"], name="fk_run_cases_case"),
        sqlite_with_rowid=with_rowid,
    )
    op.execute('INSERT INTO run_cases_new SELECT run, case_id, position, "case" FROM run_cases')
    op.drop_table("run_cases")
    op.rename_table("run_cases_new", "run_cases")


def upgrade() -> None:
    """Add columns and tables; what is stored stays as it is."""
    op.add_column("results", sa.Column("queue_time", sa.Double(), nullable=False, server_default="0"))
    op.add_column("results", sa.Column("limit_time", sa.Double(), nullable=False, server_default="0"))
    op.add_column("results", sa.Column("failed_attempts", sa.Text()))
    op.add_column("results", sa.Column("hedges", sa.Integer(), nullable=False, server_default="0"))
    op.add_column("runs", sa.Column("dataset_hash", sa.Text()))
    op.add_column("runs", sa.Column("carried", sa.Text()))
    op.add_column("responses", sa.Column("attempts", sa.Integer(), nullable=False, server_default="1"))
    op.add_column("responses", sa.Column("origin", sa.Text()))
    op.add_column("responses", sa.Column("retried", sa.Text()))
    op.add_column("responses", sa.Column("created_at", sa.Text()))
    op.create_index("ix_responses_created_at", "responses", ["created_at"])
    _rebuild_run_cases(with_rowid=False)
    op.create_index("ix_run_cases_run_position", "run_cases", ["run", "position"])
    op.create_table(
        "searches",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("workflow_id", sa.Text(), nullable=False),
        sa.Column("started_at", sa.Text(), nullable=False),
        sa.Column("manifest", sa.Text(), nullable=False),
        sa.Column("dataset_hash", sa.Text()),
        sa.PrimaryKeyConstraint("id", name="pk_searches"),
    )
    op.create_table(
        "search_calls",
        sa.Column("search", sa.Text(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("question", sa.Text(), nullable=False),
        sa.Column("outcome", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["search"], ["searches.id"], name="fk_search_calls_search_searches", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("search", "number", name="pk_search_calls"),
    )
    op.create_table(
        "processes",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("host", sa.Text(), nullable=False),
        sa.Column("pid", sa.Integer(), nullable=False),
        sa.Column("born_at", sa.Double(), nullable=False),
        sa.Column("seen_at", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_processes"),
    )
    op.create_table(
        "locks",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("owner", sa.Text(), nullable=False),
        sa.Column("taken_at", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_locks"),
    )
    op.create_table(
        "claims",
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("owner", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("key", name="pk_claims"),
    )


def downgrade() -> None:
    """Back to the first schema; what only the new columns say is lost."""
    for table in ("claims", "locks", "processes", "search_calls", "searches"):
        op.drop_table(table)
    op.drop_index("ix_run_cases_run_position", "run_cases")
    _rebuild_run_cases(with_rowid=True)
    op.drop_index("ix_responses_created_at", "responses")
    for table, columns in (
        ("responses", ("created_at", "retried", "origin", "attempts")),
        ("runs", ("carried", "dataset_hash")),
        ("results", ("hedges", "failed_attempts", "limit_time", "queue_time")),
    ):
        for column in columns:
            op.drop_column(table, column)
