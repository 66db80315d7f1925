"""Insert or update: the one statement that SQL dialects spell in their own way."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import Insert, Table

if TYPE_CHECKING:
    from sqlalchemy.dialects import postgresql, sqlite


def insert_or_replace(dialect: str, table: Table) -> Insert:
    """INSERT that overwrites the row with the same primary key."""
    statement = _insert(dialect, table)
    key = list(table.primary_key.columns)
    others = {column.name: statement.excluded[column.name] for column in table.columns if column not in set(key)}
    return statement.on_conflict_do_update(index_elements=key, set_=others)


def insert_or_keep(dialect: str, table: Table) -> Insert:
    """INSERT that leaves a row alone that is there already (by whatever unique key)."""
    return _insert(dialect, table).on_conflict_do_nothing()


def _insert(dialect: str, table: Table) -> sqlite.Insert | postgresql.Insert:
    if dialect == "postgresql":  # imported here: it takes long, and SQLite needs none of it
        from sqlalchemy.dialects import postgresql

        return postgresql.insert(table)
    from sqlalchemy.dialects import sqlite

    return sqlite.insert(table)
