"""A run's cases as tallies, page by page in case order: for comparisons, which look at runs of any size twice over."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any, NamedTuple

from sqlalchemy import Select, and_, exists, func, select

from sharpen.executor.models import TaskStatus
from sharpen.history.case_tally import CaseTally, Outcome
from sharpen.storage import schema
from sharpen.storage.engine import Database
from sharpen.storage.lookup import find_run

PAGE = 500
"""Cases in one page, and ids in one look-up."""
_RESULTS, _LINKS = schema.results.c, schema.run_cases.c
_STATUS = {status.value: status for status in TaskStatus}
_COLUMNS = (
    _LINKS.case_id, _LINKS.case, _RESULTS.status, _RESULTS.execution_time, _RESULTS.total_tokens, _RESULTS.cost,
    _RESULTS.saved_cost, _RESULTS.cached,
)  # fmt: skip


class StoredTally(NamedTuple):
    """A case of a run. ``content``: equal for cases that are equal in id, inputs and answer; None: not known."""

    tally: CaseTally
    content: int | None

    def same_case(self, other: StoredTally) -> bool:
        """Nothing is known to differ but the answers."""
        return self.content is None or other.content is None or self.content == other.content


class CaseTallies:
    """The cases of one run. ``fresh``: only answers that this run asked for, none from the cache.

    Raises ``UnknownNameError`` when there is no such run.
    """

    def __init__(self, database: Database, run_id: str, *, fresh: bool = False) -> None:
        self._database = database
        self._fresh = fresh
        with database.read() as connection:
            self._run = find_run(connection, run_id).id

    def pages(self) -> Iterator[dict[str, StoredTally]]:
        """All cases in case order, by id, a few hundred at a time; one without a result has a tally of no run."""
        last = select(func.max(_LINKS.position)).where(_LINKS.run == self._run)
        with self._database.read() as connection:
            end = connection.execute(last).scalar()
        for first in range(0, 0 if end is None else end + 1, PAGE):
            page = self._query().where(_LINKS.position >= first, _LINKS.position < first + PAGE)
            yield self._read(page.order_by(_LINKS.position, _RESULTS.repeat))

    def of(self, case_ids: Collection[str]) -> dict[str, StoredTally]:
        """Those of a few hundred cases; ids that the run does not have are left out."""
        return self._read(self._query().where(_LINKS.case_id.in_(case_ids)))

    def __iter__(self) -> Iterator[StoredTally]:
        for page in self.pages():
            yield from page.values()

    def missing_in(self, other: CaseTallies, limit: int) -> tuple[int, tuple[str, ...]]:
        """How many cases ``other`` does not have, and the ids of the first of them."""
        theirs = schema.run_cases.alias("theirs")
        known = exists().where(theirs.c.run == other._run, theirs.c.case_id == _LINKS.case_id)
        lacking = (_LINKS.run == self._run, ~known)
        count = select(func.count()).select_from(schema.run_cases).where(*lacking)
        first = select(_LINKS.case_id).where(*lacking).order_by(_LINKS.position).limit(limit)
        with self._database.read() as connection:
            number = connection.execute(count).scalar_one()
            return number, tuple(connection.execute(first).scalars()) if number else ()

    def _query(self) -> Select[Any]:
        result = and_(_RESULTS.run == _LINKS.run, _RESULTS.case_id == _LINKS.case_id)
        if self._fresh:
            result = and_(result, _RESULTS.cached.is_(False))
        return (
            select(*_COLUMNS)
            .select_from(schema.run_cases)
            .outerjoin(schema.results, result)
            .where(_LINKS.run == self._run)
        )

    def _read(self, query: Select[Any]) -> dict[str, StoredTally]:
        with self._database.read() as connection:
            rows = connection.execute(query).all()
        found: dict[str, StoredTally] = {}
        for case_id, content, status, *figures in rows:
            stored = found.get(case_id)
            if stored is None:
                stored = found[case_id] = StoredTally(CaseTally(case_id), content)
            if status is not None:
                stored.tally.add(Outcome(_STATUS[status], *figures))
        return found
