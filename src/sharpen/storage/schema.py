"""The tables, as they are now. ``migrations`` says how they came about; a test holds the two equal.

::

    runs ──< results                 one row for each task, in columns: it costs little more than its output
      ├────< run_cases >── cases     the order of a run's cases, and their inputs, stored once by content
      ├────  decisions
      ├────  history                 its figures when it ended: what lists and trends read instead of results
      └───── prompts ──< versions ──< aliases, alias_history
    optimizations                    what one `sharpen optimize` found; its runs name it as parent_run_id
    responses                        answers by content hash: the cache
    searches ──< search_calls        optimizations under way, or cut off: enough to go on with; calls of no run
    holdouts ──< holdout_cases       which cases each search saw, looked at to prove something, or spent on a claim
    ab_tests                         what one `sharpen ab PLAN` tries and found; its runs name it as parent_run_id
    experiments ──< experiment_outcomes, experiment_refusals    online experiments, and what came in
    processes, locks, claims         who is at work, on which run, waiting for which answer

Portable SQL only. Integer keys tie the big tables together; the names users see (run_id, case_id) are looked up.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Double,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    MetaData,
    Table,
    UniqueConstraint,
    false,
)

from sharpen.storage.types import ExactText, Json, Moment

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)


_CASE_KEY = BigInteger().with_variant(Integer, "sqlite")
"""SQLite's own integers hold as much, and only under that name does it number rows by itself."""


def _text(name: str, *, optional: bool = False, **options: Any) -> Column[str]:
    return Column(name, ExactText, nullable=optional, **options)


runs = Table(
    "runs",
    metadata,
    Column("id", Integer, primary_key=True),
    _text("run_id", unique=True),
    _text("workflow_id"),
    _text("purpose"),
    _text("parent_run_id", optional=True),
    _text("status"),
    _text("stop_reason", optional=True),
    Column("started_at", Moment, nullable=False),
    Column("finished_at", Moment),
    Column("total_tasks", Integer, nullable=False),
    Column("statistics", Json),
    Column("manifest", Json, nullable=False),
    Column("target", Json, nullable=False),
    Column("metadata", Json, nullable=False),
    Column("prompt_hash", ExactText, ForeignKey("prompts.content_hash")),
    _text("dataset_hash", optional=True),
    Column("carried", Json),  # what results cost that were dropped to be asked again
    Index(None, "workflow_id", "started_at"),
    Index(None, "workflow_id", "purpose", "started_at"),
    Index(None, "purpose", "started_at"),
    Index(None, "started_at"),
    Index(None, "parent_run_id"),
    Index(None, "status"),
    Index(None, "prompt_hash"),
)

results = Table(
    "results",
    metadata,
    Column("run", Integer, ForeignKey("runs.id", ondelete="CASCADE"), primary_key=True),
    _text("case_id", primary_key=True),
    Column("repeat", Integer, primary_key=True),
    _text("task_id", optional=True),  # NULL: the usual one, made of case and repeat
    _text("status"),
    _text("output", optional=True),
    _text("finish_reason", optional=True),
    Column("score", Double),
    Column("execution_time", Double, nullable=False),
    Column("wait_time", Double, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("prompt_tokens", BigInteger, nullable=False),
    Column("completion_tokens", BigInteger, nullable=False),
    Column("total_tokens", BigInteger, nullable=False),
    Column("cost", Double),
    Column("saved_cost", Double),
    Column("cached", Boolean, nullable=False),
    Column("assertions", Json),  # NULL: none
    _text("error_kind", optional=True),
    _text("error_message", optional=True),
    Column("error_http_status", Integer),
    Column("error_retryable", Boolean),
    Column("judge_calls", Integer, nullable=False),
    Column("judge_tokens", BigInteger, nullable=False),
    Column("judge_cost", Double),
    Column("queue_time", Double, nullable=False, server_default="0"),
    Column("limit_time", Double, nullable=False, server_default="0"),
    Column("failed_attempts", Json),  # NULL: none
    Column("hedges", Integer, nullable=False, server_default="0"),
)

cases = Table(
    "cases",
    metadata,
    Column("id", _CASE_KEY, primary_key=True),
    _text("content_hash", unique=True),
    _text("case_id"),
    Column("vars", Json, nullable=False),
    Column("expected", Json),
)

run_cases = Table(
    "run_cases",
    metadata,
    Column("run", Integer, ForeignKey("runs.id", ondelete="CASCADE"), primary_key=True),
    _text("case_id", primary_key=True),
    Column("position", Integer, nullable=False),
    Column("case", _CASE_KEY, ForeignKey("cases.id")),  # NULL: the run's inputs were never given to the store
    Index(None, "run", "position"),
    Index(None, "case"),
    sqlite_with_rowid=False,
)

history = Table(
    "history",
    metadata,
    Column("run", Integer, ForeignKey("runs.id", ondelete="CASCADE"), primary_key=True, autoincrement=False),
    _text("workflow_id"),
    _text("purpose"),
    Column("started_at", Moment, nullable=False),
    _text("status"),
    Column("total_tasks", Integer, nullable=False),
    Column("completed_tasks", Integer, nullable=False),
    Column("succeeded_tasks", Integer, nullable=False),
    Column("mean_time", Double),  # of completed tasks, in seconds, as the percentiles are; NULL: none ran
    Column("p50_time", Double),
    Column("p95_time", Double),
    Column("p99_time", Double),
    Column("total_tokens", BigInteger, nullable=False),
    Column("total_cost", Double),
    Column("price", Double),  # of a completed task, whether it was paid for now or before
    Column("errors", Json, nullable=False),
    _text("model", optional=True),
    Column("parameters", Json, nullable=False),
    _text("target_hash"),
    _text("prompt_hash", optional=True),
    _text("dataset_hash", optional=True),
    Index(None, "workflow_id", "purpose", "started_at"),
)

prompts = Table(
    "prompts",
    metadata,
    Column("content_hash", ExactText, primary_key=True),
    Column("messages", Json, nullable=False),
)

versions = Table(
    "versions",
    metadata,
    Column("id", Integer, primary_key=True),  # grows: the order of creation
    _text("workflow_id"),
    _text("version"),
    _text("kind"),
    Column("content_hash", ExactText, ForeignKey("prompts.content_hash"), nullable=False),
    Column("created_at", Moment, nullable=False),
    Column("document", Json, nullable=False),  # the rest of the record: evidence, changes, message
    UniqueConstraint("workflow_id", "version"),
    Index(None, "content_hash"),
)

aliases = Table(
    "aliases",
    metadata,
    _text("workflow_id", primary_key=True),
    _text("alias", primary_key=True),
    _text("version"),
    ForeignKeyConstraint(["workflow_id", "version"], ["versions.workflow_id", "versions.version"]),
)

alias_history = Table(
    "alias_history",
    metadata,
    Column("id", Integer, primary_key=True),
    _text("workflow_id"),
    _text("alias"),
    _text("version", optional=True),
    _text("previous", optional=True),
    Column("moved_at", Moment, nullable=False),
    _text("reason", optional=True),
    _text("actor", optional=True),
    Index(None, "workflow_id", "alias"),
)

decisions = Table(
    "decisions",
    metadata,
    Column("run", Integer, ForeignKey("runs.id", ondelete="CASCADE"), primary_key=True),
    Column("document", Json, nullable=False),
)

optimizations = Table(
    "optimizations",
    metadata,
    _text("id", primary_key=True),
    _text("workflow_id"),
    Column("started_at", Moment, nullable=False),
    Column("outcome", Json, nullable=False),
    Index(None, "workflow_id", "started_at"),
)

responses = Table(
    "responses",
    metadata,
    _text("key", primary_key=True),
    _text("output"),
    Column("prompt_tokens", BigInteger, nullable=False),
    Column("completion_tokens", BigInteger, nullable=False),
    Column("cost", Double),
    _text("finish_reason", optional=True),
    _text("model", optional=True),
    Column("execution_time", Double, nullable=False),
    Column("attempts", Integer, nullable=False, server_default="1"),
    _text("origin", optional=True),  # the task that paid for it, hashed, and its process
    Column("retried", Json),  # what the attempts before it used up; NULL: there were none
    Column("created_at", Moment),
    Index(None, "created_at"),
)

searches = Table(
    "searches",
    metadata,
    _text("id", primary_key=True),
    _text("workflow_id"),
    Column("started_at", Moment, nullable=False),
    Column("manifest", Json, nullable=False),
    _text("dataset_hash", optional=True),
)

search_calls = Table(
    "search_calls",
    metadata,
    Column("search", ExactText, ForeignKey("searches.id", ondelete="CASCADE"), primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    _text("question"),  # hashed
    Column("outcome", Json, nullable=False),
)

holdouts = Table(
    "holdouts",
    metadata,
    _text("id", primary_key=True),  # a search, for what it saw, or a proof of it, for what that looked at
    _text("search"),  # the id of an optimization; this outlives its row in `searches`
    _text("workflow_id"),
    _text("fingerprint", optional=True),
    Column("begun_at", Moment, nullable=False),
    Column("level", Double),  # of a proof, one-sided; NULL: not granted yet
    Column("looks", Integer),  # earlier ones
    Column("settled_at", Moment),  # NULL: under way, or cut off
    Column("accepted", Boolean, nullable=False, server_default=false()),
    Index(None, "workflow_id"),
)

holdout_cases = Table(
    "holdout_cases",
    metadata,
    Column("holdout", ExactText, ForeignKey("holdouts.id", ondelete="CASCADE"), primary_key=True),
    _text("case_key", primary_key=True),  # of its inputs and its answer
    _text("part"),  # seen: trained or selected on · holdout
    Column("granted", Boolean, nullable=False),
    Column("looked", Boolean, nullable=False),
)

ab_tests = Table(
    "ab_tests",
    metadata,
    _text("id", primary_key=True),
    _text("workflow_id"),
    Column("started_at", Moment, nullable=False),
    _text("fingerprint"),  # of what is compared, on what, by which rules: one that was cut off is found by it
    Column("definition", Json, nullable=False),
    Column("finished_at", Moment),  # NULL: under way, or cut off
    Column("report", Json),
    Index(None, "workflow_id", "started_at"),
)

experiments = Table(
    "experiments",
    metadata,
    _text("name", primary_key=True),
    Column("created_at", Moment, nullable=False),
    Column("definition", Json, nullable=False),
    Column("stopped_at", Moment),
    Column("report", Json),
)

experiment_outcomes = Table(
    "experiment_outcomes",
    metadata,
    Column("id", _CASE_KEY, primary_key=True),  # grows: the order in which they came in
    Column("experiment", ExactText, ForeignKey("experiments.name", ondelete="CASCADE"), nullable=False),
    _text("unit_id"),
    _text("metric"),
    _text("variant"),
    Column("value", Double, nullable=False),
    Column("at", Moment, nullable=False),
    UniqueConstraint("experiment", "unit_id", "metric"),
)

experiment_refusals = Table(
    "experiment_refusals",
    metadata,
    Column("experiment", ExactText, ForeignKey("experiments.name", ondelete="CASCADE"), primary_key=True),
    _text("reason", primary_key=True),
    Column("number", BigInteger, nullable=False),
)

processes = Table(
    "processes",
    metadata,
    _text("id", primary_key=True),
    _text("host"),
    Column("pid", Integer, nullable=False),
    Column("born_at", Double, nullable=False),  # by its system, see `alive`: a pid may be used again
    Column("seen_at", Double, nullable=False),  # its last sign of life, in seconds since 1970
)

locks = Table(
    "locks",
    metadata,
    _text("name", primary_key=True),
    _text("owner"),  # a process
    Column("taken_at", Moment, nullable=False),
)

claims = Table(
    "claims",
    metadata,
    _text("key", primary_key=True),  # of the response that its owner is paying for
    _text("owner"),
)
