"""The inputs of runs, so that reports and exports can show them. Equal cases are stored once."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence

from sqlalchemy import Connection, Dialect, select

from sharpen.config.models import Case
from sharpen.storage import schema
from sharpen.storage.bulk import BulkInsert
from sharpen.storage.engine import Database
from sharpen.storage.lookup import find_run
from sharpen.storage.records import StoredCase
from sharpen.storage.types import exact_json, exact_text

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
        with self._database.read() as connection:
            run = find_run(connection, run_id).id
            query = (
                select(_CASES.case_id, _CASES.vars, _CASES.expected)
                .join(schema.run_cases, _LINKS.case == _CASES.id)
                .where(_LINKS.run == run)
                .order_by(_LINKS.position)
            )
            found = connection.execute(query)
            return {row.case_id: StoredCase(id=row.case_id, vars=row.vars, expected=row.expected) for row in found}


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
            key = _content_hash(name, inputs, expected)
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


def _content_hash(name: str | None, inputs: str | None, expected: str | None) -> str:
    """A case's id, cut short, and the first 96 bits of the SHA-256 (hex) of its id, variables and expected answer.

    The id stands first so that the cases of a data set lie side by side in the index, not all over it.
    """
    digest = hashlib.sha256(f"{name}\0{inputs}\0{expected}".encode())
    return f"{(name or '')[:24]}:{digest.hexdigest()[:24]}"
