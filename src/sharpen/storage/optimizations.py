"""What each ``sharpen optimize`` found. Its runs are stored as runs; here stands what ties them together."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, select

from sharpen.executor.models import AwareDatetime, Record, ResultLog, RunExecutionResult, TaskResult
from sharpen.optimizer.looks import looks_of
from sharpen.optimizer.models import OptimizationOutcome
from sharpen.storage import schema
from sharpen.storage.engine import Database
from sharpen.storage.lookup import find_optimization
from sharpen.storage.results import read_results
from sharpen.storage.searches import drop_search
from sharpen.storage.upsert import insert_or_replace

_TABLE = schema.optimizations.c
_RUN_FIELDS = ("baseline_run", "holdout_run")


class OptimizationSummary(Record):
    """One line of the list of optimizations."""

    run_id: str
    workflow_id: str
    started_at: AwareDatetime


class OptimizationRepository:
    """Outcomes by the id of the optimization (the ``parent_run_id`` of its runs)."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def save(self, outcome: OptimizationOutcome) -> None:
        """Keep an outcome. Task results of runs that the store holds are not stored a second time.

        A search that came to its end is no longer under way; one that was stopped can go on.
        """
        with self._database.write() as connection:
            known: dict[str, RunExecutionResult] = {}
            for field in _RUN_FIELDS:
                run: RunExecutionResult | None = getattr(outcome, field)
                if run is not None and (
                    isinstance(run.task_results, ResultLog)  # then it is this store that they are read from
                    or _stored_results(connection, run) == run.task_results
                ):
                    known[field] = run.model_copy(update={"task_results": ()})
            document = outcome.model_copy(update=known).model_dump(mode="json")
            connection.execute(
                insert_or_replace(connection.dialect.name, schema.optimizations),
                {
                    "id": outcome.run_id,
                    "workflow_id": outcome.workflow_id,
                    "started_at": outcome.started_at,
                    "outcome": document,
                },
            )
            if outcome.stop_reason is None:
                drop_search(connection, outcome.run_id)

    def get(self, ref: str) -> OptimizationOutcome:
        """The outcome whose id is ``ref`` or, when only one does, begins with it.

        Raises ``UnknownNameError``, or ``UserError`` when several begin so.
        """
        with self._database.read() as connection:
            outcome = OptimizationOutcome.model_validate(find_optimization(connection, ref).outcome)
            filled: dict[str, RunExecutionResult] = {}
            for field in _RUN_FIELDS:
                run: RunExecutionResult | None = getattr(outcome, field)
                if run is not None and not run.task_results and (stored := _stored_results(connection, run)):
                    filled[field] = run.model_copy(update={"task_results": stored})
            return outcome.model_copy(update=filled)

    def list(self, workflow_id: str | None = None, limit: int | None = 50) -> tuple[OptimizationSummary, ...]:
        """Optimizations, newest first; at most ``limit`` of them (None: all)."""
        query = select(_TABLE.id.label("run_id"), _TABLE.workflow_id, _TABLE.started_at)
        query = query.order_by(_TABLE.started_at.desc()).limit(limit)
        if workflow_id is not None:
            query = query.where(_TABLE.workflow_id == workflow_id)
        with self._database.read() as connection:
            return tuple(OptimizationSummary.model_validate(dict(row._mapping)) for row in connection.execute(query))

    def documents(self, limit: int) -> tuple[dict[str, Any], ...]:
        """The newest outcomes as they are stored, for who needs a few fields of many; task results are elsewhere."""
        newest = select(_TABLE.id).order_by(_TABLE.started_at.desc(), _TABLE.id).limit(limit)
        with self._database.read() as connection:
            ids = connection.execute(newest).scalars().all()  # sorted without the documents, which can be large
            rows = connection.execute(select(_TABLE.outcome).where(_TABLE.id.in_(ids))).scalars()
            return tuple(rows)


def _stored_results(connection: Connection, run: RunExecutionResult) -> tuple[TaskResult, ...]:
    """Of a run, or of the several looks that it was put together from."""
    found: list[TaskResult] = []
    for run_id in looks_of(run):
        key = connection.execute(select(schema.runs.c.id).where(schema.runs.c.run_id == run_id)).scalar()
        found += () if key is None else read_results(connection, key)
    return tuple(found)
