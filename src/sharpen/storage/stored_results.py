"""A stored run's results as the executor's ``ResultLog``: read page by page, each page in a transaction of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar, overload

from sqlalchemy import and_, select

from sharpen.errors import ErrorKind
from sharpen.executor.models import ResultLog, TaskFigures, TaskResult, TaskStatus
from sharpen.storage import schema
from sharpen.storage.engine import Database
from sharpen.storage.results import count_results
from sharpen.storage.task_rows import from_row

PAGE = 2000
"""Cases in one page."""

T = TypeVar("T")
_RESULTS, _CASES = schema.results.c, schema.run_cases.c
_FIGURES = (_RESULTS.status, _RESULTS.execution_time, _RESULTS.error_kind, _RESULTS.cost, _RESULTS.saved_cost)
_STATUS = {status.value: status for status in TaskStatus}
_KIND: dict[str | None, ErrorKind | None] = {None: None, **{kind.value: kind for kind in ErrorKind}}


class StoredResults(ResultLog):
    """The results of a run whose cases the store knows."""

    def __init__(self, database: Database, run: int) -> None:
        self._database = database
        self._run = run

    def __iter__(self) -> Iterator[TaskResult]:
        return self._pages(tuple(schema.results.columns), from_row)

    def figures(self) -> Iterator[TaskFigures]:
        return self._pages(_FIGURES, _figures)

    def not_succeeded(self) -> Iterator[TaskResult]:
        return self._pages(tuple(schema.results.columns), from_row, _RESULTS.status != TaskStatus.SUCCEEDED.value)

    def __len__(self) -> int:
        with self._database.read() as connection:
            return count_results(connection, self._run)

    @overload
    def __getitem__(self, index: int) -> TaskResult: ...

    @overload
    def __getitem__(self, index: slice) -> Sequence[TaskResult]: ...

    def __getitem__(self, index: int | slice) -> TaskResult | Sequence[TaskResult]:
        """Reads all that comes before it: for a look at a few, not for a loop over all."""
        from itertools import islice

        if isinstance(index, slice):
            start, stop, step = index.indices(len(self))
            if step < 0:
                return tuple(islice(self, stop + 1, start + 1))[::step]
            return tuple(islice(self, start, stop, step))
        position = index + len(self) if index < 0 else index
        for result in islice(self, max(0, position), None):
            if position >= 0:
                return result
        raise IndexError(f"result {index} of {len(self)}")

    def _pages(self, columns: Sequence[Any], read: Callable[[Any], T], *where: Any) -> Iterator[T]:
        known = select(_CASES.position).where(_CASES.run == self._run).order_by(_CASES.position.desc()).limit(1)
        with self._database.read() as connection:
            last = connection.execute(known).scalar()
        query = (
            select(*columns)
            .select_from(schema.run_cases)
            .join(schema.results, and_(_RESULTS.run == _CASES.run, _RESULTS.case_id == _CASES.case_id))
            .where(_CASES.run == self._run, *where)
            .order_by(_CASES.position, _RESULTS.repeat)
        )
        for first in range(0, -1 if last is None else last + 1, PAGE):
            page = query.where(_CASES.position >= first, _CASES.position < first + PAGE)
            with self._database.read() as connection:
                rows = connection.execute(page).all()
            yield from map(read, rows)


def _figures(row: Any) -> TaskFigures:
    return TaskFigures(_STATUS[row[0]], row[1], _KIND[row[2]], row[3], row[4])
