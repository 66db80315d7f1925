"""Runs: when, of what, with which target, and how they ended."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Row, Select, select, union_all, update

from sharpen.config.prompts import PromptTemplate
from sharpen.errors import StoreError
from sharpen.executor.models import RunExecutionResult, RunStatus
from sharpen.executor.ports import RunStart
from sharpen.executor.run import HELD_RESULTS
from sharpen.executor.statistics import summarize
from sharpen.storage import schema
from sharpen.storage.bulk import BulkInsert
from sharpen.storage.engine import Database
from sharpen.storage.exact_text import exact_text
from sharpen.storage.history import forget_history, note_history
from sharpen.storage.lookup import find_run
from sharpen.storage.prompts import save_prompt
from sharpen.storage.records import RunRecord, RunSummary
from sharpen.storage.results import count_results, read_results
from sharpen.storage.stored_results import StoredResults

_RUNS = schema.runs.c
_SUMMARY = [_RUNS[name] for name in RunSummary.model_fields]


class RunRepository:
    """The list of runs, and each of them again as it was."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def list(
        self,
        workflow_id: str | None = None,
        limit: int | None = 50,
        *,
        purpose: str | Sequence[str] | None = None,
        parent_run_id: str | None = None,
        status: Sequence[RunStatus] | None = None,
        prompt_hash: str | None = None,
    ) -> tuple[RunSummary, ...]:
        """Runs, newest first; at most ``limit`` of them (None: all). ``purpose`` and ``status``: one of those."""
        query = list_query(workflow_id, limit, purpose, parent_run_id, status, prompt_hash)
        with self._database.read() as connection:
            return tuple(RunSummary.model_validate(dict(row._mapping)) for row in connection.execute(query))

    def workflows(self) -> tuple[str, ...]:
        """The workflows of which anything was ever run, by name."""
        with self._database.read() as connection:
            return tuple(sorted(connection.execute(select(_RUNS.workflow_id).distinct()).scalars()))

    def get(self, ref: str) -> RunRecord:
        """The run whose id is ``ref``, or begins with it when only one does.

        Raises ``UnknownNameError`` with close ids, ``UserError`` when several runs begin so.
        """
        with self._database.read() as connection:
            run = find_run(connection, ref)
            prompt = select(schema.prompts.c.messages).where(schema.prompts.c.content_hash == run.prompt_hash)
            return RunRecord(
                **{name: run._mapping[name] for name in RunSummary.model_fields},
                manifest=run.manifest,
                prompt=tuple(connection.execute(prompt).scalar() or ()),
                target=run.target,
                metadata=run._mapping["metadata"],
                case_ids=() if _is_large(run) else _case_ids(connection, run.id),
                dataset_hash=run.dataset_hash,
            )

    def load_result(self, ref: str) -> RunExecutionResult:
        """The run's result as the executor returned it.

        A run that never ended (``running``) holds the results that were saved, and its statistics count the missing
        ones in ``total_tasks``. Those of a run that was resumed with fewer cases are over all its results.
        Raises as ``get`` does.
        """
        with self._database.read() as connection:
            run = find_run(connection, ref)
            number = count_results(connection, run.id)
            stored = StoredResults(self._database, run.id) if _is_large(run) else None
            results = stored or tuple(read_results(connection, run.id))
            running = run.status == RunStatus.RUNNING
            total = max(run.total_tasks, number) if running or stored else number
            complete = run.statistics is not None and (stored or number in (0, run.statistics["total_tasks"]))
            return RunExecutionResult(
                run_id=run.run_id,
                workflow_id=run.workflow_id,
                started_at=run.started_at,
                finished_at=run.finished_at or run.started_at,
                statistics=run.statistics if complete else summarize(results, total),
                task_results=results,
                status=run.status,
                stop_reason=run.stop_reason if run.finished_at else f"{number} of {total} results were saved",
                metadata=run._mapping["metadata"],
            )


def list_query(
    workflow_id: str | None,
    limit: int | None,
    purpose: str | Sequence[str] | None = None,
    parent_run_id: str | None = None,
    status: Sequence[RunStatus] | None = None,
    prompt_hash: str | None = None,
) -> Select[Any]:
    """The rows of ``RunRepository.list``.

    Of each purpose the newest are read by their index and put together: one condition for several purposes would have
    the database sort all of them, or go through thousands of a search's runs to find fifty of the user's.
    """
    purposes = (purpose,) if isinstance(purpose, str) or purpose is None else purpose
    every = []
    for kind in purposes:
        wanted = {_RUNS.workflow_id: workflow_id, _RUNS.purpose: kind, _RUNS.parent_run_id: parent_run_id}
        given = {column: value for column, value in wanted.items() if value is not None}
        where = [column == value for column, value in given.items()]
        if status is not None or prompt_hash is not None:  # few runs have it: nothing else may look like an index
            where = [(column + "") == value for column, value in given.items()]
        if status is not None:
            where.append(_RUNS.status.in_([one.value for one in status]))
        if prompt_hash is not None:
            where.append(_RUNS.prompt_hash == prompt_hash)
        query = select(_RUNS.id, _RUNS.started_at).where(*where)
        every.append(query.order_by(_RUNS.started_at.desc(), _RUNS.id.desc()).limit(limit))
    found = (every[0] if len(every) == 1 else union_all(*(select(one.subquery()) for one in every))).subquery()
    newest = select(*_SUMMARY).join(found, found.c.id == _RUNS.id)
    return newest.order_by(found.c.started_at.desc(), found.c.id.desc()).limit(limit)


def begin_run(connection: Connection, start: RunStart) -> int:
    """Note that a run begins, or goes on: a run that is there already is set to ``running`` again. Returns its key.

    Raises ``StoreError`` when the id belongs to a run of another workflow.
    """
    known = connection.execute(
        select(_RUNS.id, _RUNS.workflow_id).where(_RUNS.run_id == start.run_id).with_for_update()
    ).first()
    if known is not None:
        if known.workflow_id != start.workflow_id:
            raise StoreError(f"run {start.run_id!r} exists already, as a run of workflow {known.workflow_id!r}")
        again = {"status": RunStatus.RUNNING.value, "finished_at": None, "statistics": None, "stop_reason": None}
        connection.execute(update(schema.runs).where(_RUNS.id == known.id).values(again))
        key = int(known.id)
        forget_history(connection, key)
    else:
        prompt_hash = save_prompt(connection, PromptTemplate.model_validate(start.prompt)) if start.prompt else None
        inserted = connection.execute(
            schema.runs.insert()
            .returning(_RUNS.id)
            .values(
                run_id=start.run_id,
                workflow_id=start.workflow_id,
                purpose=start.purpose,
                parent_run_id=start.parent_run_id,
                status=RunStatus.RUNNING.value,
                started_at=start.started_at,
                total_tasks=start.total_tasks,
                manifest=dict(start.manifest),
                target=dict(start.target),
                metadata={},
                prompt_hash=prompt_hash,
                dataset_hash=start.dataset_hash,
            )
        )
        key = int(inserted.scalar_one())
    listed = BulkInsert(schema.run_cases, connection.dialect, ("run", "case_id", "position"), keep=True)
    ids = dict.fromkeys(start.case_ids)
    listed.execute(connection, [(key, exact_text(case_id), position) for position, case_id in enumerate(ids)])
    return key


def end_run(connection: Connection, key: int, result: RunExecutionResult) -> None:
    """Note how a run ended."""
    connection.execute(
        update(schema.runs)
        .where(_RUNS.id == key)
        .values(
            status=result.status.value,
            stop_reason=result.stop_reason,
            started_at=result.started_at,
            finished_at=result.finished_at,
            statistics=result.statistics.model_dump(mode="json"),
            metadata=result.metadata,
        )
    )
    note_history(connection, key)


def _is_large(run: Row[Any]) -> bool:
    """Its cases and results are not to be held in memory."""
    return run.dataset_hash is not None and run.total_tasks > HELD_RESULTS


def _case_ids(connection: Connection, key: int) -> tuple[str, ...]:
    cases = schema.run_cases.c
    return tuple(connection.execute(select(cases.case_id).where(cases.run == key).order_by(cases.position)).scalars())
