"""Find a row by the id a user typed: the whole id, or a beginning that only one id has."""

from __future__ import annotations

import difflib
from typing import Any

from sqlalchemy import Column, ColumnElement, Connection, Row, and_, select, true, union

from sharpen.errors import UnknownNameError, UserError
from sharpen.storage import schema

_NEWEST = 1000
_SHOWN = 5
_LAST = "\U0010ffff"  # sorts behind every other character


def find_run(connection: Connection, ref: str) -> Row[Any]:
    """The run's row. Raises ``UnknownNameError`` with a close id or the newest ones, ``UserError`` if ambiguous."""
    return _find(connection, "run", schema.runs.c.run_id, ref)


def find_optimization(connection: Connection, ref: str) -> Row[Any]:
    """The optimization's row. Raises as ``find_run`` does."""
    return _find(connection, "optimization", schema.optimizations.c.id, ref)


def find_begun(connection: Connection, ref: str) -> tuple[str, str]:
    """("run", "optimization" or "experiment", id) of what a user began and ``ref`` names or begins.

    A step of a search is a run. An optimization's id begins those of its steps, which are told apart only when nothing
    else begins so. Raises as ``find_run`` does.
    """
    ids = {
        "optimization": union(select(schema.optimizations.c.id), select(schema.searches.c.id)).subquery().c.id,
        "experiment": schema.ab_tests.c.id,
        "run": schema.runs.c.run_id,
    }
    for kind, column in ids.items():
        if connection.execute(select(column).where(column == ref)).first() is not None:
            return kind, ref
    own = {"optimization": true(), "experiment": true(), "run": schema.runs.c.parent_run_id.is_(None)}
    begun = [
        (kind, found)
        for kind, column in ids.items()
        if ref
        for found in connection.execute(select(column).where(begins(column, ref), own[kind]).limit(2)).scalars()
    ]
    if len(begun) > 1:
        first, second = (found for _, found in begun[:2])
        raise UserError(f"{ref!r} is ambiguous: {first!r} and {second!r} begin so; type more of it")
    return begun[0] if begun else ("run", find_run(connection, ref).run_id)


def begins(column: ColumnElement[str], ref: str) -> ColumnElement[bool]:
    """A text begins so, letter by letter; as a range, which an index finds (and no LIKE of SQLite's does)."""
    return and_(column >= ref, column < f"{ref}{_LAST}")


def _find(connection: Connection, what: str, column: Column[str], ref: str) -> Row[Any]:
    query = select(column.table)
    if (exact := connection.execute(query.where(column == ref)).first()) is not None:
        return exact
    begun = connection.execute(query.where(begins(column, ref)).limit(2)).all() if ref else []
    if len(begun) == 1:
        return begun[0]
    if begun:
        first, second = (row._mapping[column.name] for row in begun)
        raise UserError(f"{what} {ref!r} is ambiguous: {first!r} and {second!r} begin so; type more of it")
    newest_first = select(column).order_by(column.table.c.started_at.desc()).limit(_NEWEST)
    newest = connection.execute(newest_first).scalars().all()
    raise UnknownNameError(what, ref, difflib.get_close_matches(ref, newest, n=1) or newest[:_SHOWN])
