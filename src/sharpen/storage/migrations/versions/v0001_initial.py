"""The first schema: runs with their cases and results, prompts with their versions, decisions, answers.

Plain types on purpose: a migration must not change when the code does.
"""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def _text(name: str, *, optional: bool = False) -> sa.Column[Any]:
    return sa.Column(name, sa.Text(), nullable=optional)


def _int(name: str, *, optional: bool = False) -> sa.Column[Any]:
    return sa.Column(name, sa.Integer(), nullable=optional)


def _big(name: str) -> sa.Column[Any]:
    return sa.Column(name, sa.BigInteger(), nullable=False)


def _real(name: str, *, optional: bool = False) -> sa.Column[Any]:
    return sa.Column(name, sa.Double(), nullable=optional)


def _flag(name: str, *, optional: bool = False) -> sa.Column[Any]:
    return sa.Column(name, sa.Boolean(), nullable=optional)


def _of_run(table: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(["run"], ["runs.id"], name=f"fk_{table}_run", ondelete="CASCADE")


def upgrade() -> None:
    """Create every table."""
    op.create_table(
        "prompts",
        _text("content_hash"),
        _text("messages"),
        sa.PrimaryKeyConstraint("content_hash", name="pk_prompts"),
    )
    op.create_table(
        "runs",
        _int("id"),
        _text("run_id"),
        _text("workflow_id"),
        _text("purpose"),
        _text("parent_run_id", optional=True),
        _text("status"),
        _text("stop_reason", optional=True),
        _text("started_at"),
        _text("finished_at", optional=True),
        _int("total_tasks"),
        _text("statistics", optional=True),
        _text("manifest"),
        _text("target"),
        _text("metadata"),
        _text("prompt_hash", optional=True),
        sa.PrimaryKeyConstraint("id", name="pk_runs"),
        sa.UniqueConstraint("run_id", name="uq_runs_run_id"),
        sa.ForeignKeyConstraint(["prompt_hash"], ["prompts.content_hash"], name="fk_runs_prompt_hash"),
    )
    op.create_index("ix_runs_workflow_id_started_at", "runs", ["workflow_id", "started_at"])
    op.create_index("ix_runs_started_at", "runs", ["started_at"])
    op.create_index("ix_runs_parent_run_id", "runs", ["parent_run_id"])
    op.create_table(
        "results",
        _int("run"),
        _text("case_id"),
        _int("repeat"),
        _text("task_id", optional=True),
        _text("status"),
        _text("output", optional=True),
        _text("finish_reason", optional=True),
        _real("score", optional=True),
        _real("execution_time"),
        _real("wait_time"),
        _int("attempts"),
        _big("prompt_tokens"),
        _big("completion_tokens"),
        _big("total_tokens"),
        _real("cost", optional=True),
        _real("saved_cost", optional=True),
        _flag("cached"),
        _text("assertions", optional=True),
        _text("error_kind", optional=True),
        _text("error_message", optional=True),
        _int("error_http_status", optional=True),
        _flag("error_retryable", optional=True),
        _int("judge_calls"),
        _big("judge_tokens"),
        _real("judge_cost", optional=True),
        sa.PrimaryKeyConstraint("run", "case_id", "repeat", name="pk_results"),
        _of_run("results"),
    )
    op.create_table(
        "cases",
        _int("id"),
        _text("content_hash"),
        _text("case_id"),
        _text("vars"),
        _text("expected", optional=True),
        sa.PrimaryKeyConstraint("id", name="pk_cases"),
        sa.UniqueConstraint("content_hash", name="uq_cases_content_hash"),
    )
    op.create_table(
        "run_cases",
        _int("run"),
        _text("case_id"),
        _int("position"),
        _int("case", optional=True),
        sa.PrimaryKeyConstraint("run", "case_id", name="pk_run_cases"),
        _of_run("run_cases"),
        sa.ForeignKeyConstraint(["case"], ["cases.id"], name="fk_run_cases_case"),
    )
    op.create_table(
        "versions",
        _int("id"),
        _text("workflow_id"),
        _text("version"),
        _text("kind"),
        _text("content_hash"),
        _text("created_at"),
        _text("document"),
        sa.PrimaryKeyConstraint("id", name="pk_versions"),
        sa.UniqueConstraint("workflow_id", "version", name="uq_versions_workflow_id_version"),
        sa.ForeignKeyConstraint(["content_hash"], ["prompts.content_hash"], name="fk_versions_content_hash"),
    )
    op.create_table(
        "aliases",
        _text("workflow_id"),
        _text("alias"),
        _text("version"),
        sa.PrimaryKeyConstraint("workflow_id", "alias", name="pk_aliases"),
        sa.ForeignKeyConstraint(
            ["workflow_id", "version"],
            ["versions.workflow_id", "versions.version"],
            name="fk_aliases_workflow_id_version",
        ),
    )
    op.create_table(
        "alias_history",
        _int("id"),
        _text("workflow_id"),
        _text("alias"),
        _text("version", optional=True),
        _text("previous", optional=True),
        _text("moved_at"),
        sa.PrimaryKeyConstraint("id", name="pk_alias_history"),
    )
    op.create_index("ix_alias_history_workflow_id_alias", "alias_history", ["workflow_id", "alias"])
    op.create_table(
        "decisions",
        _int("run"),
        _text("document"),
        sa.PrimaryKeyConstraint("run", name="pk_decisions"),
        _of_run("decisions"),
    )
    op.create_table(
        "optimizations",
        _text("id"),
        _text("workflow_id"),
        _text("started_at"),
        _text("outcome"),
        sa.PrimaryKeyConstraint("id", name="pk_optimizations"),
    )
    op.create_index("ix_optimizations_workflow_id_started_at", "optimizations", ["workflow_id", "started_at"])
    op.create_table(
        "responses",
        _text("key"),
        _text("output"),
        _big("prompt_tokens"),
        _big("completion_tokens"),
        _real("cost", optional=True),
        _text("finish_reason", optional=True),
        _text("model", optional=True),
        _real("execution_time"),
        sa.PrimaryKeyConstraint("key", name="pk_responses"),
    )


def downgrade() -> None:
    """Drop every table, those that point at others first."""
    for table in (
        "responses", "optimizations", "decisions", "alias_history", "aliases",
        "versions", "run_cases", "cases", "results", "runs", "prompts",
    ):  # fmt: skip
        op.drop_table(table)
