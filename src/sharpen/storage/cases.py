"""The inputs of runs, so that reports and exports can show them. Equal cases are stored once."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import Any

from sqlalchemy import Connection, Dialect, func, select

from sharpen.config import case_set
from sharpen.config.models import Case
from sharpen.config.reservoir import sampled_numbers
from sharpen.storage import schema
from sharpen.storage.bulk import BulkInsert
from sharpen.storage.engine import Database
from sharpen.storage.exact_text import exact_text
from sharpen.storage.lookup import find_run
from sharpen.storage.records import StoredCase
from sharpen.storage.types import exact_json

PAGE = 500
"""Cases read at once."""
KEYS = 500
"""Cases looked up at once."""
_CASES, _LINKS = schema.cases.c, schema.run_cases.c


class CaseRepository:
    """Cases by the run that used them."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def attach(self, run_id: str, cases: Iterable[Case]) -> None:
        """Give a run its inputs; cases that are not among its case ids are ignored. Raises ``UnknownNameError``."""
        with self._database.write() as connection:
            attach_cases(connection, find_run(connection, run_id).id, cases)

    def of_run(self, run_id: str) -> dict[str, StoredCase]:
        """A run's inputs by case id, in case order; empty when it never had any. Raises ``UnknownNameError``."""
        return {case.id: StoredCase(id=case.id, vars=case.vars, expected=case.expected) for case in self.stored(run_id)}

    def stored(self, run_id: str) -> StoredCases:
        """A run's inputs, however many, read as they are asked for. Raises ``UnknownNameError``."""
        with self._database.read() as connection:
            return StoredCases(self._database, find_run(connection, run_id).id)


class StoredCases(Collection[Case]):
    """The inputs of a run in case order, read page by page with each iteration, or by id (``of``)."""

    def __init__(self, database: Database, run: int) -> None:
        self._database = database
        self._run = run

    def __iter__(self) -> Iterator[Case]:
        last = self._last()
        for first in range(0, -1 if last is None else last + 1, PAGE):
            yield from self._read(_LINKS.position >= first, _LINKS.position < first + PAGE)

    def __len__(self) -> int:
        query = select(func.count()).where(_LINKS.run == self._run, _LINKS.case.is_not(None))
        with self._database.read() as connection:
            return connection.execute(query).scalar_one()

    def __contains__(self, case: object) -> bool:
        return isinstance(case, Case) and self.of((case.id,)).get(case.id) == case

    def of(self, case_ids: Collection[str]) -> dict[str, Case]:
        """Those of some cases, by id; ids that are not known are left out."""
        ids, found = tuple(case_ids), dict[str, Case]()
        for first in range(0, len(ids), KEYS):
            found |= {
                case.id: case for case in self._read(_LINKS.case_id.in_(ids[first : first + KEYS]), ordered=False)
            }
        return found

    @property
    def sample(self) -> tuple[Case, ...]:
        """All of a few cases; of many the same sample that ``CaseSet`` keeps of them while they are run."""
        last = self._last()
        count = 0 if last is None else last + 1
        if count <= case_set.HELD:
            return tuple(self)
        numbers, found = sampled_numbers(count, case_set.SAMPLE), list[Case]()
        for first in range(0, len(numbers), KEYS):
            found += self._read(_LINKS.position.in_(numbers[first : first + KEYS]))
        return tuple(found)

    def _last(self) -> int | None:
        query = select(func.max(_LINKS.position)).where(_LINKS.run == self._run)
        with self._database.read() as connection:
            return connection.execute(query).scalar()

    def _read(self, *where: Any, ordered: bool = True) -> list[Case]:
        """``ordered``: by position. Not for a look-up by ids, where SQLite would go through the whole run for it."""
        query = (
            select(_CASES.case_id, _CASES.vars, _CASES.expected)
            .join(schema.run_cases, _LINKS.case == _CASES.id)
            .where(_LINKS.run == self._run, *where)
        )
        with self._database.read() as connection:
            rows = connection.execute(query.order_by(_LINKS.position) if ordered else query)
            return [Case(id=name, vars=inputs, expected=expected) for name, inputs, expected in rows]


class CaseInserts:
    """The statements that give a run its cases."""

    def __init__(self, dialect: Dialect) -> None:
        self._cases = BulkInsert(schema.cases, dialect, ("content_hash", "case_id", "vars", "expected"), keep=True)
        self._links = BulkInsert(
            schema.run_cases,
            dialect,
            ("run", "case_id", "position", "case"),
            expressions={"case": "(SELECT id FROM cases WHERE content_hash = ?)"},
        )

    def execute(self, connection: Connection, run: int, placed: Sequence[tuple[int, Case]]) -> None:
        """Store cases that are new, and give a run these cases at these positions."""
        rows, links = [], []
        for position, case in placed:
            name, inputs, expected = exact_text(case.id), exact_json(case.vars), exact_json(case.expected)
            key = content_hash_of(name, inputs, expected)
            rows.append((key, name, inputs, expected))
            links.append((run, name, position, key))
        self._cases.execute(connection, rows)
        self._links.execute(connection, links)


def attach_cases(connection: Connection, run: int, cases: Iterable[Case]) -> None:
    """Store cases that are new, and tie them to a run that lists their ids."""
    listed = select(_LINKS.case_id, _LINKS.position).where(_LINKS.run == run)
    positions = {row.case_id: row.position for row in connection.execute(listed)}
    placed = [(positions[case.id], case) for case in cases if case.id in positions]
    CaseInserts(connection.dialect).execute(connection, run, placed)


def content_hash_of(name: str | None, inputs: str | None, expected: str | None) -> str:
    """Of a case as it is stored: its id, cut short, and the first 96 bits of the SHA-256 (hex) of all of it.

    The id stands first so that the cases of a data set lie side by side in the index, not all over it.
    """
    digest = hashlib.sha256(f"{name}\0{inputs}\0{expected}".encode())
    return f"{(name or '')[:24]}:{digest.hexdigest()[:24]}"
