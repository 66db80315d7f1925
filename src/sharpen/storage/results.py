"""Results: one row for each task of a run."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Select, and_, func, or_, select

from sharpen.config.models import Case
from sharpen.errors import ErrorKind
from sharpen.executor.models import TaskResult, TaskStatus
from sharpen.storage import schema
from sharpen.storage.bulk import BulkInsert
from sharpen.storage.engine import Database
from sharpen.storage.lookup import find_run
from sharpen.storage.task_rows import COLUMNS, from_row, to_values

_RESULTS, _CASES = schema.results.c, schema.run_cases.c

SYSTEMIC = frozenset({ErrorKind.CONNECTION, ErrorKind.AUTHENTICATION, ErrorKind.RATE_LIMIT})
"""Errors that say nothing about the case: the server, the key or the quota was the reason."""


class ResultRepository:
    """The results of runs, in case order."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def list(self, run_id: str) -> tuple[TaskResult, ...]:
        """A run's results in case order, repeats side by side. Raises ``UnknownNameError``."""
        with self._database.read() as connection:
            return tuple(read_results(connection, find_run(connection, run_id).id))

    def of(self, run_id: str, case_ids: Sequence[str]) -> tuple[TaskResult, ...]:
        """A run's results of some cases (a few hundred), repeats side by side. Raises ``UnknownNameError``."""
        with self._database.read() as connection:
            query = results_query(find_run(connection, run_id).id).where(_RESULTS.case_id.in_(case_ids))
            return tuple(map(from_row, connection.execute(query)))

    def count(self, run_id: str) -> int:
        """How many results are saved. Raises ``UnknownNameError``."""
        with self._database.read() as connection:
            return count_results(connection, find_run(connection, run_id).id)

    def finished(self, run_id: str) -> FinishedResults:
        """What a resumed run need not repeat. Raises ``UnknownNameError``."""
        with self._database.read() as connection:
            return FinishedResults(self._database, find_run(connection, run_id).id)


class FinishedResults(Mapping[tuple[str, int], TaskResult]):
    """The results of a run that are no longer worth a call, by case id and repeat; read as they are asked for.

    Finished is what ran to an end, good or bad: succeeded, failed, timeout, error. Not finished are cancelled tasks,
    and errors that were no fault of the case (no connection, wrong key, rate limit exhausted): whoever resumes has
    removed that cause, and wants these asked again.
    """

    def __init__(self, database: Database, run: int) -> None:
        self._database = database
        self._run = run

    def of(self, cases: Sequence[Case]) -> dict[tuple[str, int], TaskResult]:
        """Those of some cases, in one query."""
        return self._read(_RESULTS.case_id.in_([case.id for case in cases]))

    def __getitem__(self, key: tuple[str, int]) -> TaskResult:
        return self._read(_RESULTS.case_id == key[0], _RESULTS.repeat == key[1])[key]

    def __iter__(self) -> Iterator[tuple[str, int]]:
        return iter(self._read())

    def __len__(self) -> int:
        ended = [status.value for status in TaskStatus if status.completed]
        kinds = [kind.value for kind in SYSTEMIC]
        worth = or_(_RESULTS.error_kind.is_(None), _RESULTS.error_kind.not_in(kinds))
        query = select(func.count()).where(_RESULTS.run == self._run, _RESULTS.status.in_(ended), worth)
        with self._database.read() as connection:
            return connection.execute(query).scalar_one()

    def _read(self, *where: Any) -> dict[tuple[str, int], TaskResult]:
        query = select(schema.results).where(_RESULTS.run == self._run, *where)
        with self._database.read() as connection:
            results = map(from_row, connection.execute(query))
            return {(result.case_id, result.repeat): result for result in results if is_finished(result)}


def is_finished(result: TaskResult) -> bool:
    """True when asking again would not be worth a call."""
    return result.status.completed and (result.error is None or result.error.kind not in SYSTEMIC)


def results_query(run: int, *columns: Any) -> Select[Any]:
    """A run's result rows in case order, then repeat. Cases of no order come last."""
    return (
        select(*(columns or schema.results.columns))
        .outerjoin(schema.run_cases, and_(_CASES.run == _RESULTS.run, _CASES.case_id == _RESULTS.case_id))
        .where(_RESULTS.run == run)
        .order_by(_CASES.position.nulls_last(), _RESULTS.case_id, _RESULTS.repeat)
    )


def read_results(connection: Connection, run: int) -> Iterator[TaskResult]:
    """A run's results in case order, read as they are asked for."""
    return map(from_row, connection.execute(results_query(run)))


def count_results(connection: Connection, run: int) -> int:
    """How many results of a run are saved."""
    return connection.execute(select(func.count()).where(_RESULTS.run == run)).scalar_one()


def insert_results(connection: Connection) -> BulkInsert:
    """The statement that saves results; one that is saved again replaces the earlier one."""
    return BulkInsert(schema.results, connection.dialect, COLUMNS)


def save_missing(connection: Connection, run: int, results: Iterable[TaskResult]) -> None:
    """Save results that never came through ``save_result``: mostly cancelled ones. Completed ones stay as they are."""
    saved = select(_RESULTS.case_id, _RESULTS.repeat).where(_RESULTS.run == run)
    stored = {tuple(row) for row in connection.execute(saved)}
    rows = [
        to_values(run, result)
        for result in results
        if not result.status.completed or (result.case_id, result.repeat) not in stored
    ]
    insert_results(connection).execute(connection, rows)
