"""Many rows in one statement: the way of the tables that grow with every call.

A row costs a tenth of what it costs through the expression language, and the driver's work for a whole statement is
done without Python's lock, beside the event loop.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from sqlalchemy import Connection, Dialect, Table

from sharpen.storage.raw import execute_raw

_CHUNK = 128
"""Rows of the longest statement: SQLite allows 32,766 parameters, PostgreSQL 65,535."""


class BulkInsert:
    """INSERT into ``columns`` of a table. A row whose key is there replaces the other columns (``keep``: is left out).

    Values are passed to the driver as they are: converting them is the caller's part. ``expressions`` are columns whose
    value is an SQL expression with one placeholder, written ``?``.
    """

    def __init__(
        self,
        table: Table,
        dialect: Dialect,
        columns: Sequence[str],
        *,
        keep: bool = False,
        expressions: dict[str, str] | None = None,
    ) -> None:
        self.table, self.columns = str(table.name), tuple(columns)  # a plain text: SQLAlchemy's is slow to serialise
        quote = dialect.identifier_preparer.quote
        mark = "?" if dialect.paramstyle == "qmark" else "%s"
        marks = [(expressions or {}).get(name, "?").replace("?", mark) for name in columns]
        key = [column.name for column in table.primary_key.columns]
        others = ", ".join(f"{quote(name)} = excluded.{quote(name)}" for name in columns if name not in key)
        conflict = "" if keep else f" ({', '.join(map(quote, key))})"
        self._head = f"INSERT INTO {quote(table.name)} ({', '.join(map(quote, columns))}) VALUES "  # noqa: S608 - our own names, quoted
        self._row = f"({', '.join(marks)})"
        self._tail = f" ON CONFLICT{conflict} DO {'NOTHING' if keep or not others else f'UPDATE SET {others}'}"
        self._key = None if keep else [list(columns).index(name) for name in key]
        self._sql = lru_cache(maxsize=None)(self._statement)

    def execute(self, connection: Connection, rows: Sequence[tuple[Any, ...]]) -> None:
        """Insert the rows; of several with one key the last counts."""
        if self._key is not None and len(rows) > 1:
            by_key = {tuple(row[index] for index in self._key): row for row in rows}
            if len(by_key) < len(rows):
                rows = list(by_key.values())
        done = 0
        while done < len(rows):
            size = min(_CHUNK, 1 << (len(rows) - done).bit_length() - 1)  # a power of two: few different statements
            values = tuple(value for row in rows[done : done + size] for value in row)
            execute_raw(connection, self._sql(size), values)
            done += size

    def _statement(self, rows: int) -> str:
        return self._head + ", ".join([self._row] * rows) + self._tail
