"""Bring home what killed processes left in their journals."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

from sharpen import events
from sharpen.errors import StoreError
from sharpen.storage import journal, schema
from sharpen.storage.bulk import BulkInsert
from sharpen.storage.engine import Database
from sharpen.storage.failures import StoreUnavailableError

_LOG = logging.getLogger("sharpen.store")
_TABLES = {table.name: table for table in (schema.results, schema.responses)}

Rows = dict[tuple[str, tuple[str, ...]], list[tuple[Any, ...]]]


def recover(database: Database) -> int:
    """Commit the rows of every journal that was left behind, and remove it. How many rows there were.

    For whoever opens the store or takes over the work of one who is gone, outside of any transaction. A store that
    cannot be written now (a full disk) can still be read: the journals then wait for the next time.
    """
    found = 0
    for path in journal.left_behind(database.file) if database.file else ():
        try:
            rows = _rows(path)
            number = sum(map(len, rows.values()))
            _commit(database, rows)
            path.unlink(missing_ok=True)
        except FileNotFoundError:  # another process was faster
            continue
        except (OSError, StoreUnavailableError) as error:
            events.emit(_LOG, logging.WARNING, "answers_not_recovered", file=path.name, error=str(error))
            continue
        found += number
        if number:
            events.emit(_LOG, logging.INFO, "answers_recovered", number=number)
    return found


def _rows(path: Path) -> Rows:
    rows: Rows = {}
    for table, columns, values in journal.read(path):
        if table in _TABLES and set(columns) <= set(_TABLES[table].columns.keys()):
            rows.setdefault((table, columns), []).append(values)
    return rows


def _commit(database: Database, rows: Rows) -> None:
    try:
        _insert(database, rows)
    except StoreUnavailableError:
        raise
    except StoreError:  # one of them has lost its run: the others must not suffer
        for key, values in rows.items():
            for value in values:
                try:
                    _insert(database, {key: [value]})
                except StoreUnavailableError:
                    raise
                except StoreError:
                    continue


def _insert(database: Database, rows: Rows) -> None:
    if rows:
        with database.write() as connection:
            for (table, columns), values in rows.items():
                BulkInsert(_TABLES[table], connection.dialect, columns).execute(connection, values)
