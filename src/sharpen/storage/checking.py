"""Is a store whole? What the database says of itself, and what can be computed anew from what is stored."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator

from pydantic import ValidationError
from sqlalchemy import Connection, and_, func, or_, select, text

from sharpen.config.prompts import PromptTemplate
from sharpen.errors import StoreError
from sharpen.executor.models import Record, RunStatistics, RunStatus
from sharpen.executor.run import HELD_RESULTS
from sharpen.executor.statistics import StatisticsAccumulator
from sharpen.storage import schema
from sharpen.storage.cases import content_hash_of
from sharpen.storage.engine import Database
from sharpen.storage.exact_text import plain_text
from sharpen.storage.history import missing_history
from sharpen.storage.raw_rows import numbered, pages
from sharpen.storage.results import count_results, read_results
from sharpen.storage.versions import StoredVersionRepository
from sharpen.versions.integrity import verified

SAMPLE = 50
"""Runs whose statistics are computed anew, spread over all of them, and pages of cases; all of them with ``full``."""
_NAMED = 5
_RUNS, _LINKS = schema.runs.c, schema.run_cases.c


class Check(Record):
    """One thing that was looked at. ``wrong``: in how many of ``looked_at``; ``examples`` names some of those.

    ``note``: nothing that could be wrong, ``looked_at`` tells how much there is of it.
    """

    name: str
    looked_at: int
    wrong: int = 0
    examples: tuple[str, ...] = ()
    hint: str = ""
    note: bool = False

    @property
    def passed(self) -> bool:
        """Nothing is wrong."""
        return self.wrong == 0


class Health(Record):
    """What a store was found to be."""

    store: str
    full: bool
    checks: tuple[Check, ...]

    @property
    def passed(self) -> bool:
        """Nothing is wrong with the store."""
        return all(check.passed for check in self.checks)


def check_store(database: Database, *, full: bool = False) -> Health:
    """Look at one state of a store. ``full``: at every row, which takes as long as reading all of it.

    Raises ``StoreError`` only where the store cannot be read at all.
    """
    checks: list[Check] = []
    with database.read() as connection:
        for check in _CHECKS:
            checks.extend(check(connection, full))
    checks.append(_versions(database))
    return Health(store=database.name, full=full, checks=tuple(checks))


def _integrity(connection: Connection, full: bool) -> Iterator[Check]:
    """SQLite's own look at its pages; a server does that itself."""
    if connection.dialect.name != "sqlite":
        return
    said = connection.execute(text(f"PRAGMA {'integrity_check' if full else 'quick_check'}")).scalars().all()
    wrong = [str(line) for line in said if line != "ok"]
    yield _check("pages of the file", 1, wrong, "restore a backup, or save what is left with: sqlite3 FILE .recover")


def _foreign_keys(connection: Connection, _full: bool) -> Iterator[Check]:
    """Rows that point at nothing."""
    looked, wrong = 0, list[str]()
    for table in schema.metadata.sorted_tables:
        for key in table.foreign_key_constraints:
            looked += 1
            parent = key.referred_table.alias()
            own = [element.parent for element in key.elements]
            there = and_(*(parent.c[e.column.name] == e.parent for e in key.elements))
            orphan = and_(*(column.is_not(None) for column in own), ~select(1).where(there).exists())
            found = connection.execute(select(func.count()).select_from(table).where(orphan)).scalar_one()
            if found:
                wrong.append(f"{found:,} rows of {table.name!r} point at no row of {key.referred_table.name!r}")
    yield _check("references between tables", looked, wrong)


def _prompts(connection: Connection, _full: bool) -> Iterator[Check]:
    looked, wrong = 0, []
    for rows in pages(connection, schema.prompts):
        for row in rows:
            looked += 1
            try:
                actual = PromptTemplate(messages=json.loads(plain_text(row.messages) or "")).content_hash
            except (ValueError, ValidationError):
                actual = ""
            if actual != plain_text(row.content_hash):
                wrong.append(f"prompt {row.content_hash[:12]}…")
    yield _check("prompts have the hash of their contents", looked, wrong)


def _cases(connection: Connection, full: bool) -> Iterator[Check]:
    looked, wrong = 0, []
    for number, rows in enumerate(pages(connection, schema.cases)):
        if number >= SAMPLE and not full:
            break
        for row in rows:
            looked += 1
            if content_hash_of(row.case_id, row.vars, row.expected) != row.content_hash:
                wrong.append(f"case {plain_text(row.case_id)!r}")
    yield _check("cases have the hash of their contents", looked, wrong)


def _statistics(connection: Connection, full: bool) -> Iterator[Check]:
    """What runs were said to yield, against their results."""
    ended = select(_RUNS.id).where(_RUNS.status != RunStatus.RUNNING.value, _RUNS.statistics.is_not(None))
    keys = connection.execute(ended.order_by(_RUNS.id)).scalars().all()
    if not full and len(keys) > SAMPLE:
        step = (len(keys) - 1) / (SAMPLE - 1)
        keys = [keys[round(number * step)] for number in range(SAMPLE)]
    wrong = [name for key in keys if (name := _differing(connection, key))]
    yield _check("statistics of runs are those of their results", len(keys), wrong)
    missing = connection.execute(missing_history()).scalars().all()
    names = connection.execute(select(_RUNS.run_id).where(_RUNS.id.in_(missing[:_NAMED]))).scalars().all()
    total = connection.execute(select(func.count()).select_from(ended.subquery())).scalar_one()
    yield Check(
        name="runs that ended stand in the history", looked_at=total, wrong=len(missing), examples=tuple(names),
        hint="an older sharpen ended them; `sharpen store upgrade` adds them" if missing else "",
    )  # fmt: skip


def _differing(connection: Connection, key: int) -> str | None:
    """The run's name, if its results add up to something else. A run whose results were dropped is not one."""
    run = connection.execute(select(_RUNS.run_id, _RUNS.statistics, _RUNS.total_tasks).where(_RUNS.id == key)).one()
    number = count_results(connection, key)
    stored = RunStatistics.model_validate(run.statistics)
    if number == 0 or (number != stored.total_tasks and run.total_tasks <= HELD_RESULTS):
        return None  # resumed with fewer cases: then they are computed anew whenever the run is read
    found = StatisticsAccumulator(stored.total_tasks)
    for result in read_results(connection, key):
        found.add(result)
    if number < stored.total_tasks:
        found.add_uncalled()
    pairs = zip(_leaves(stored), _leaves(found.statistics()), strict=True)
    return None if all(map(_same, *zip(*pairs, strict=True))) else str(run.run_id)


def _leaves(statistics: RunStatistics) -> list[float | None]:
    values = statistics.model_dump()
    return [*values.pop("judge").values(), *values.values()]


def _same(one: float | None, other: float | None) -> bool:
    return one is other or (one is not None and other is not None and math.isclose(one, other, rel_tol=1e-9))


def _counters(connection: Connection, _full: bool) -> Iterator[Check]:
    """PostgreSQL's counters stand behind the keys that are in use; after a restore by other means they may not."""
    if connection.dialect.name != "postgresql":
        return
    looked, wrong = 0, list[str]()
    for table in schema.metadata.sorted_tables:
        column = numbered(table)
        if column is None:
            continue
        looked += 1
        name = connection.execute(select(func.pg_get_serial_sequence(table.name, column.name))).scalar_one()
        state = connection.execute(text(f"SELECT last_value, is_called FROM {name}")).one()  # noqa: S608 - its own name
        highest = connection.execute(select(func.max(column))).scalar()
        if highest is not None and highest >= state.last_value + bool(state.is_called):
            wrong.append(f"the next key of {table.name!r} would be {state.last_value + bool(state.is_called)}")
    yield _check("counters stand behind the keys in use", looked, wrong)


def _unused(connection: Connection, _full: bool) -> Iterator[Check]:
    """Not wrong, only in the way."""
    cases = select(func.count()).select_from(schema.cases)
    cases = cases.where(~select(1).where(_LINKS.case == schema.cases.c.id).exists())
    named = or_(
        select(1).where(_RUNS.prompt_hash == schema.prompts.c.content_hash).exists(),
        select(1).where(schema.versions.c.content_hash == schema.prompts.c.content_hash).exists(),
    )
    prompts = select(func.count()).select_from(schema.prompts).where(~named)
    for what, query in (("cases", cases), ("prompts", prompts)):
        found = connection.execute(query).scalar_one()
        yield Check(name=f"{what} that nothing uses any more, which is harmless", looked_at=found, note=True)


def _versions(database: Database) -> Check:
    repository, looked, wrong = StoredVersionRepository(database), 0, list[str]()
    for workflow in repository.workflows():
        with database.read() as connection:
            query = select(schema.versions.c.version).where(schema.versions.c.workflow_id == workflow)
            names = connection.execute(query).scalars().all()
        for name in names:
            looked += 1
            try:
                found = repository.get(workflow, name)
                if found is not None:
                    verified(found)
            except (StoreError, ValueError):
                wrong.append(f"{workflow} {name}")
    return _check("versions are what was stored", looked, wrong)


def _check(name: str, looked_at: int, wrong: list[str], hint: str = "") -> Check:
    return Check(
        name=name, looked_at=looked_at, wrong=len(wrong), examples=tuple(wrong[:_NAMED]), hint=hint if wrong else ""
    )


_CHECKS: tuple[Callable[[Connection, bool], Iterator[Check]], ...] = (
    _integrity, _foreign_keys, _prompts, _cases, _statistics, _counters, _unused,
)  # fmt: skip
