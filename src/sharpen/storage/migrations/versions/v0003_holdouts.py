"""What proofs need: which cases were looked at, so that nobody proves by trying again and again."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Add tables; what is stored stays as it is."""
    op.create_table(
        "holdouts",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("search", sa.Text(), nullable=False),
        sa.Column("workflow_id", sa.Text(), nullable=False),
        sa.Column("fingerprint", sa.Text()),
        sa.Column("begun_at", sa.Text(), nullable=False),
        sa.Column("level", sa.Double()),
        sa.Column("looks", sa.Integer()),
        sa.Column("settled_at", sa.Text()),
        sa.Column("accepted", sa.Boolean(), nullable=False, server_default=sa.false()),
        sa.PrimaryKeyConstraint("id", name="pk_holdouts"),
    )
    op.create_index("ix_holdouts_workflow_id", "holdouts", ["workflow_id"])
    op.create_table(
        "holdout_cases",
        sa.Column("holdout", sa.Text(), nullable=False),
        sa.Column("case_key", sa.Text(), nullable=False),
        sa.Column("part", sa.Text(), nullable=False),
        sa.Column("granted", sa.Boolean(), nullable=False),
        sa.Column("looked", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(
            ["holdout"], ["holdouts.id"], name="fk_holdout_cases_holdout_holdouts", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("holdout", "case_key", name="pk_holdout_cases"),
    )


def downgrade() -> None:
    """Back to the second schema; what was looked at is forgotten."""
    op.drop_table("holdout_cases")
    op.drop_index("ix_holdouts_workflow_id", "holdouts")
    op.drop_table("holdouts")
