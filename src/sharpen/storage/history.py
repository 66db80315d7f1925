"""The history of a workflow: one row of figures for each run that ended, so that nobody reads its results for them.

Everything here follows from ``runs`` and ``results``. It is written in the transaction that ends a run, and filled in
for runs that ended before there was such a table, or under an older sharpen (``fill_history``).
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Select, delete, select, union_all

from sharpen.errors import ErrorKind
from sharpen.executor.models import RunStatistics, RunStatus, TaskStatus
from sharpen.executor.statistics import ExactSum
from sharpen.optimizer.statistics import Observations
from sharpen.storage import schema
from sharpen.storage.engine import Database
from sharpen.storage.records import RunPoint
from sharpen.storage.results import count_results
from sharpen.storage.upsert import insert_or_replace

_HISTORY, _RUNS, _RESULTS = schema.history.c, schema.runs.c, schema.results.c
_COMPLETED = tuple(status.value for status in TaskStatus if status.completed)
_UNNAMED = {TaskStatus.FAILED.value: ErrorKind.ASSERTION.value}  # an assertion that says no is no error of its own
_PERCENTS = (50, 95, 99)
_AT_ONCE = 5_000
_LARGEST = 2**63 - 1
"""Of the integers that both databases hold."""


class HistoryRepository:
    """The figures of runs in order of time. Reads one small table by its index, however many results there are."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def of(
        self,
        workflow_id: str,
        *,
        purposes: Collection[str] = ("run", "baseline"),
        since: datetime | None = None,
        limit: int | None = None,
    ) -> tuple[RunPoint, ...]:
        """A workflow's runs that ended, oldest first; of too many the newest ``limit``. ``since``: begun then or later.

        Runs that were stopped early are among them: see ``status``.
        """
        query = history_query(workflow_id, tuple(purposes), since, limit)
        with self._database.read() as connection:
            rows = connection.execute(query).all()
        return tuple(RunPoint.model_validate(dict(row._mapping)) for row in reversed(rows))

    def workflows(self) -> tuple[str, ...]:
        """The workflows of which a run ended, by name."""
        with self._database.read() as connection:
            return tuple(sorted(connection.execute(select(_HISTORY.workflow_id).distinct()).scalars()))


def history_query(
    workflow_id: str, purposes: Sequence[str], since: datetime | None = None, limit: int | None = None
) -> Select[Any]:
    """The rows of ``HistoryRepository.of``, newest first: of each purpose the newest by its index, put together."""
    every = []
    for purpose in purposes:
        one = select(schema.history).where(_HISTORY.workflow_id == workflow_id, _HISTORY.purpose == purpose)
        one = one if since is None else one.where(_HISTORY.started_at >= since)
        every.append(select(one.order_by(_HISTORY.started_at.desc(), _HISTORY.run.desc()).limit(limit).subquery()))
    found = union_all(*every).subquery()
    columns = [found.c[name] for name in RunPoint.model_fields if name != "run_id"]
    return (
        select(_RUNS.run_id, *columns)
        .join(schema.runs, _RUNS.id == found.c.run)
        .order_by(found.c.started_at.desc(), found.c.run.desc())
        .limit(limit)
    )


def note_history(connection: Connection, run: int) -> None:
    """Write the row of a run that ended, from what is stored of it; one that is there is replaced."""
    columns = (
        _RUNS.workflow_id, _RUNS.purpose, _RUNS.started_at, _RUNS.status, _RUNS.statistics, _RUNS.target,
        _RUNS.prompt_hash, _RUNS.dataset_hash,
    )  # fmt: skip
    row = connection.execute(select(*columns).where(_RUNS.id == run)).one()
    statistics = RunStatistics.model_validate(row.statistics)
    values = {
        "run": run,
        **{name: row._mapping[name] for name in ("workflow_id", "purpose", "started_at", "status")},
        "total_tasks": statistics.total_tasks,
        "completed_tasks": statistics.completed_tasks,
        "succeeded_tasks": statistics.succeeded_tasks,
        "mean_time": statistics.avg_execution_time if statistics.completed_tasks else None,
        "total_tokens": min(statistics.total_tokens, _LARGEST),  # no absurd number may keep a run from ending
        "total_cost": statistics.total_cost,
        **_from_results(connection, run, statistics),
        **_of_target(row.target),
        "prompt_hash": row.prompt_hash,
        "dataset_hash": row.dataset_hash,
    }
    connection.execute(insert_or_replace(connection.dialect.name, schema.history), values)


def forget_history(connection: Connection, run: int) -> None:
    """A run that goes on has not ended."""
    connection.execute(delete(schema.history).where(_HISTORY.run == run))


def fill_history(connection: Connection) -> int:
    """Write the rows that are missing. How many."""
    missing = connection.execute(missing_history()).scalars().all()
    for run in missing:
        note_history(connection, run)
    return len(missing)


def missing_history() -> Select[Any]:
    """The keys of runs that ended and have no history."""
    ended = (_RUNS.status != RunStatus.RUNNING.value, _RUNS.statistics.is_not(None))
    noted = select(_HISTORY.run).where(_HISTORY.run == _RUNS.id).exists()
    return select(_RUNS.id).where(*ended, ~noted).order_by(_RUNS.id)


def _from_results(connection: Connection, run: int, statistics: RunStatistics) -> dict[str, Any]:
    """Percentiles (nearest rank, seconds), the price of a task and the errors: what statistics do not tell."""
    query = select(
        _RESULTS.status, _RESULTS.error_kind, _RESULTS.execution_time, _RESULTS.cost, _RESULTS.saved_cost
    ).where(_RESULTS.run == run, _RESULTS.status.in_(_COMPLETED))
    times, errors = Observations(count_results(connection, run), lowest=min(_PERCENTS)), Counter[str]()
    prices, unpriced = ExactSum(), False
    with connection.execute(query.execution_options(yield_per=_AT_ONCE)) as rows:
        for status, kind, time, cost, saved_cost in rows:
            times.add(time)
            if status != TaskStatus.SUCCEEDED.value:
                errors[kind or _UNNAMED.get(status, status)] += 1
            if cost is None or saved_cost is None:
                unpriced = True
            elif statistics.cached_tasks:
                prices.add(cost + saved_cost)
    if statistics.cached_tasks and times:
        price = None if unpriced else prices.value / len(times)
    elif statistics.total_cost is None or not statistics.completed_tasks:
        price = None
    else:
        price = statistics.total_cost / statistics.completed_tasks
    percentiles = {f"p{percent}_time": times.percentile(percent) for percent in _PERCENTS}
    return {**percentiles, "price": price, "errors": dict(errors.most_common())}


def _of_target(identity: dict[str, Any]) -> dict[str, Any]:
    """What a target is known by: its model, its parameters, and a hash over all of its identity."""
    canonical = json.dumps(identity, sort_keys=True, default=str)
    return {
        "model": identity.get("model") or identity.get("function"),
        "parameters": identity.get("params") or {},
        "target_hash": hashlib.sha256(canonical.encode()).hexdigest()[:16],
    }
