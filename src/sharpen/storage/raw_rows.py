"""Whole tables page by page, with their texts as they are stored: to be copied and compared, not understood."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from sqlalchemy import Column, ColumnClause, Connection, Integer, Row, Table, TableClause, Text, column, select, tuple_
from sqlalchemy import table as plain_table

from sharpen.storage.types import ExactText, Json, Moment

PAGE = 2_000
"""Rows read at once."""


def plain(table: Table) -> tuple[TableClause, list[ColumnClause[Any]]]:
    """A table whose texts are read as they are stored, and the columns of its key."""
    columns: list[ColumnClause[Any]] = [
        column(one.name, Text() if isinstance(one.type, ExactText | Json | Moment) else one.type)
        for one in table.columns
    ]
    names = [one.name for one in table.primary_key.columns]
    return plain_table(table.name, *columns), [one for name in names for one in columns if one.name == name]


def pages(
    connection: Connection, table: Table, last: Sequence[Any] | None = None, size: int = PAGE
) -> Iterator[Sequence[Row[Any]]]:
    """The rows behind a key (None: all) in the order of keys, so many at once."""
    rows_of, key = plain(table)
    while True:
        query = select(rows_of).order_by(*key).limit(size)
        if last is not None:
            query = query.where(tuple_(*key) > tuple_(*last))
        rows = connection.execute(query).all()
        if not rows:
            return
        yield rows
        last = [rows[-1]._mapping[one.name] for one in key]


def numbered(table: Table) -> Column[Any] | None:
    """The key of a table that the database numbers by itself; None for a table with another one."""
    column = table.autoincrement_column
    return column if column is not None and isinstance(column.type, Integer) else None
