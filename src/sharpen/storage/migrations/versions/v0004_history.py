"""What a team needs that runs sharpen every day: the history of a workflow in one small table, and its indices.

``history`` is filled from ``runs`` and ``results`` by ``storage.history``: what can be computed anew is no migration's.
"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"

_INDICES = (
    ("runs", ("status",)),
    ("runs", ("purpose", "started_at")),
    ("runs", ("workflow_id", "purpose", "started_at")),
    ("runs", ("prompt_hash",)),  # who points at a row that is deleted is looked up with every deletion
    ("versions", ("content_hash",)),
    ("run_cases", ("case",)),
)


def _name(table: str, columns: tuple[str, ...]) -> str:
    return f"ix_{table}_{'_'.join(columns)}"


def upgrade() -> None:
    """Add a table and indices; what is stored stays as it is."""
    op.create_table(
        "history",
        sa.Column("run", sa.Integer(), nullable=False),
        sa.Column("workflow_id", sa.Text(), nullable=False),
        sa.Column("purpose", sa.Text(), nullable=False),
        sa.Column("started_at", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("total_tasks", sa.Integer(), nullable=False),
        sa.Column("completed_tasks", sa.Integer(), nullable=False),
        sa.Column("succeeded_tasks", sa.Integer(), nullable=False),
        sa.Column("mean_time", sa.Double()),
        sa.Column("p50_time", sa.Double()),
        sa.Column("p95_time", sa.Double()),
        sa.Column("p99_time", sa.Double()),
        sa.Column("total_tokens", sa.BigInteger(), nullable=False),
        sa.Column("total_cost", sa.Double()),
        sa.Column("price", sa.Double()),
        sa.Column("errors", sa.Text(), nullable=False),
        sa.Column("model", sa.Text()),
        sa.Column("parameters", sa.Text(), nullable=False),
        sa.Column("target_hash", sa.Text(), nullable=False),
        sa.Column("prompt_hash", sa.Text()),
        sa.Column("dataset_hash", sa.Text()),
        sa.PrimaryKeyConstraint("run", name="pk_history"),
        sa.ForeignKeyConstraint(["run"], ["runs.id"], name="fk_history_run", ondelete="CASCADE"),
    )
    op.create_index("ix_history_workflow_id_purpose_started_at", "history", ["workflow_id", "purpose", "started_at"])
    for table, columns in _INDICES:
        op.create_index(_name(table, columns), table, list(columns))
    if op.get_bind().dialect.name == "postgresql":  # every case that is known already uses up a number, too
        op.execute('ALTER TABLE run_cases ALTER COLUMN "case" TYPE BIGINT')
        op.execute("ALTER TABLE cases ALTER COLUMN id TYPE BIGINT")
        op.execute("ALTER SEQUENCE cases_id_seq AS BIGINT")


def downgrade() -> None:
    """Back to the third schema; nothing is lost that could not be computed anew."""
    if op.get_bind().dialect.name == "postgresql":
        op.execute("ALTER SEQUENCE cases_id_seq AS INTEGER")
        op.execute("ALTER TABLE cases ALTER COLUMN id TYPE INTEGER")
        op.execute('ALTER TABLE run_cases ALTER COLUMN "case" TYPE INTEGER')
    for table, columns in reversed(_INDICES):
        op.drop_index(_name(table, columns), table)
    op.drop_index("ix_history_workflow_id_purpose_started_at", "history")
    op.drop_table("history")
