"""A/B experiments: those that run a plan's variants on its cases, and those whose outcomes come from outside.

Moves of aliases gain why they were made, and by whom.
"""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Add tables and columns; what is stored stays as it is."""
    op.create_table(
        "ab_tests",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("workflow_id", sa.Text(), nullable=False),
        sa.Column("started_at", sa.Text(), nullable=False),
        sa.Column("fingerprint", sa.Text(), nullable=False),
        sa.Column("definition", sa.Text(), nullable=False),
        sa.Column("finished_at", sa.Text()),
        sa.Column("report", sa.Text()),
        sa.PrimaryKeyConstraint("id", name="pk_ab_tests"),
    )
    op.create_index("ix_ab_tests_workflow_id_started_at", "ab_tests", ["workflow_id", "started_at"])
    op.create_table(
        "experiments",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("created_at", sa.Text(), nullable=False),
        sa.Column("definition", sa.Text(), nullable=False),
        sa.Column("stopped_at", sa.Text()),
        sa.Column("report", sa.Text()),
        sa.PrimaryKeyConstraint("name", name="pk_experiments"),
    )
    op.create_table(
        "experiment_outcomes",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("experiment", sa.Text(), nullable=False),
        sa.Column("unit_id", sa.Text(), nullable=False),
        sa.Column("metric", sa.Text(), nullable=False),
        sa.Column("variant", sa.Text(), nullable=False),
        sa.Column("value", sa.Double(), nullable=False),
        sa.Column("at", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_experiment_outcomes"),
        sa.ForeignKeyConstraint(
            ["experiment"], ["experiments.name"], name="fk_experiment_outcomes_experiment", ondelete="CASCADE"
        ),
        sa.UniqueConstraint("experiment", "unit_id", "metric", name="uq_experiment_outcomes_experiment_unit_id_metric"),
    )
    op.create_table(
        "experiment_refusals",
        sa.Column("experiment", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("experiment", "reason", name="pk_experiment_refusals"),
        sa.ForeignKeyConstraint(
            ["experiment"], ["experiments.name"], name="fk_experiment_refusals_experiment", ondelete="CASCADE"
        ),
    )
    op.add_column("alias_history", sa.Column("reason", sa.Text()))
    op.add_column("alias_history", sa.Column("actor", sa.Text()))


def downgrade() -> None:
    """Back to the fourth schema; experiments are forgotten."""
    op.drop_column("alias_history", "actor")
    op.drop_column("alias_history", "reason")
    op.drop_table("experiment_refusals")
    op.drop_table("experiment_outcomes")
    op.drop_table("experiments")
    op.drop_index("ix_ab_tests_workflow_id_started_at", "ab_tests")
    op.drop_table("ab_tests")
