"""The inputs of runs, so that reports and exports can show them. Equal cases are stored once."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

from sqlalchemy import Connection, bindparam, select, update

from sharpen.config.models import Case
from sharpen.storage import schema
from sharpen.storage.engine import Database
from sharpen.storage.lookup import find_run
from sharpen.storage.records import StoredCase
from sharpen.storage.types import to_json
from sharpen.storage.upsert import insert_or_keep

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


def attach_cases(connection: Connection, run: int, cases: Iterable[Case]) -> None:
    """Store cases that are new, and tie them to a run that lists their ids."""
    wanted = set(connection.execute(select(_LINKS.case_id).where(_LINKS.run == run)).scalars())
    rows = [
        {"content_hash": content_hash(case), "case_id": case.id, "vars": case.vars, "expected": case.expected}
        for case in cases
        if case.id in wanted
    ]
    if not rows:
        return
    connection.execute(insert_or_keep(connection.dialect.name, schema.cases), rows)
    same = select(_CASES.id).where(_CASES.content_hash == bindparam("by_hash")).scalar_subquery()
    link = update(schema.run_cases).where(_LINKS.run == run, _LINKS.case_id == bindparam("by_case")).values(case=same)
    connection.execute(link, [{"by_hash": row["content_hash"], "by_case": row["case_id"]} for row in rows])


def content_hash(case: Case) -> str:
    """SHA-256 (hex) of id, variables and expected answer."""
    return hashlib.sha256(to_json([case.id, case.vars, case.expected]).encode(errors="surrogatepass")).hexdigest()
