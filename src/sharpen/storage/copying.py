"""A whole store into another database: row by row in the order of its keys, then compared with what it was made from.

Until that is done the target's revision says that it is a copy under way, of what: nobody opens it as a store, and the
same command goes on where it was cut off.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from sqlalchemy import Connection, Table, func, select, text

from sharpen.errors import StoreError
from sharpen.executor.models import Record
from sharpen.storage import schema
from sharpen.storage.bulk import BulkInsert
from sharpen.storage.engine import Database
from sharpen.storage.migrate import COPY_MARK, ensure_current, revision_of
from sharpen.storage.raw_rows import PAGE, numbered, pages, plain
from sharpen.storage.revision import REVISION, VERSION_TABLE

_OF_PROCESSES = (schema.processes, schema.locks, schema.claims)
TABLES = tuple(table for table in schema.metadata.sorted_tables if table not in _OF_PROCESSES)
"""What is copied, each behind those it points at. Who is at work on a store is no part of it."""

Told = Callable[[str, int], None]


class CopiedTable(Record):
    """A table that is the same in both stores. ``sha256`` is of its rows in the order of their keys."""

    name: str
    rows: int
    copied: int
    sha256: str


class Copied(Record):
    """What a copy holds. ``resumed``: it was begun by an earlier command."""

    source: str
    target: str
    resumed: bool
    tables: tuple[CopiedTable, ...]

    @property
    def rows(self) -> int:
        """Rows in all tables."""
        return sum(table.rows for table in self.tables)


class _Read(NamedTuple):
    rows: int
    sha256: str


def copy_store(source: Database, target: Database, told: Told = lambda _table, _rows: None) -> Copied:
    """Copy a store of this code's schema into an empty database, or go on with a copy of the same store.

    What is copied is one state of the source: others may go on with it, and what they write from now on is not in the
    copy. ``told`` hears of every table and of the rows done. Raises ``StoreError`` when the target holds something
    else, and when it is not the same in the end: then the source was changed between two attempts.
    """
    mark = COPY_MARK + hashlib.sha256(_identity(source).encode()).hexdigest()[:16]
    if _identity(source) == _identity(target):
        raise StoreError(f"store {source.name} cannot be copied into itself; name another one")
    resumed = _prepare(target, mark)
    found = []
    with source.read() as reading:
        for table in TABLES:
            copied = _copy(reading, target, table, told)
            wanted = _digest(reading, table)
            with target.read() as connection:
                there = _digest(connection, table)
            if there != wanted:
                raise StoreError(
                    f"table {table.name!r} of {target.name} is not that of {source.name} ({there.rows:,} rows, not "
                    f"{wanted.rows:,}, or other contents): the source was changed since this copy was begun; "
                    "empty the target and copy again"
                )
            found.append(CopiedTable(name=table.name, rows=wanted.rows, copied=copied, sha256=wanted.sha256))
    with target.write() as connection:
        continue_numbers(connection)
        connection.execute(_set_revision(), {"revision": REVISION})
    return Copied(source=source.name, target=target.name, resumed=resumed, tables=tuple(found))


def _identity(database: Database) -> str:
    """Where a database is, whoever asks."""
    url = database.engine.url
    if database.engine.dialect.name == "sqlite":
        return f"sqlite {Path(url.database or '').resolve()}"
    host = url.query.get("host", "") or url.host or ""
    return f"postgresql {host} {url.port or url.query.get('port', '') or 5432} {url.database}"


def _prepare(target: Database, mark: str) -> bool:
    """Make the tables, and mark the copy as under way. Whether it was so already."""
    revision = revision_of(target)
    if revision == mark:
        return True
    if revision is not None and revision.startswith(COPY_MARK):
        raise StoreError(f"store {target.name} is a copy of another store under way; name another target")
    ensure_current(target)
    with target.write() as connection:
        for table in TABLES:
            if connection.execute(select(func.count()).select_from(select(table).limit(1).subquery())).scalar():
                raise StoreError(
                    f"store {target.name} is not empty (its table {table.name!r} has rows); expected a new one"
                )
        connection.execute(_set_revision(), {"revision": mark})
    return False


def _set_revision() -> Any:
    return text(f"UPDATE {VERSION_TABLE} SET version_num = :revision")  # noqa: S608 - a constant of ours


def _copy(reading: Connection, target: Database, table: Table, told: Told) -> int:
    """Copy what the target lacks: what is behind its last key. How many rows."""
    rows_of, key = plain(table)
    insert = BulkInsert(table, target.engine.dialect, rows_of.columns.keys(), keep=True)
    with target.read() as connection:
        last = connection.execute(select(*key).order_by(*(column.desc() for column in key)).limit(1)).first()
    done = 0
    for rows in pages(reading, table, last, PAGE):
        with target.write(quick=True) as connection:
            insert.execute(connection, [tuple(row) for row in rows])
        done += len(rows)
        told(table.name, done)
    target.sync()
    return done


def _digest(connection: Connection, table: Table) -> _Read:
    """How many rows there are, and a hash of all of them."""
    digest, number = hashlib.sha256(), 0
    for rows in pages(connection, table):
        number += len(rows)
        for row in rows:
            digest.update(repr(tuple(row)).encode("utf-8", "surrogatepass"))
    return _Read(number, digest.hexdigest())


def continue_numbers(connection: Connection) -> None:
    """PostgreSQL's own counters go on behind the keys that came with the rows."""
    if connection.dialect.name != "postgresql":
        return
    for table in TABLES:
        if (key := numbered(table)) is not None:
            counter = func.pg_get_serial_sequence(table.name, key.name)
            highest = select(func.max(key)).scalar_subquery()
            connection.execute(select(func.setval(counter, highest)).where(highest.is_not(None)))
