"""Group commit: many small writes share one transaction, and many transactions one wait for the disk."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Insert

from sharpen.storage.batching import Batcher
from sharpen.storage.bulk import BulkInsert
from sharpen.storage.engine import Database
from sharpen.storage.failures import StoreUnavailableError


@dataclass(frozen=True, slots=True)
class RowWrite:
    """One row for one statement; rows of the same statement object go to the database together."""

    statement: Insert
    values: dict[str, Any]


@dataclass(frozen=True, slots=True)
class BulkRow:
    """One row of a table that many rows go to."""

    insert: BulkInsert
    values: tuple[Any, ...]


Work = RowWrite | BulkRow | Callable[[Connection], Any]
"""What can be written: a row, or a function that writes within the shared transaction and returns an answer."""


class Writer:
    """The one writer of this process.

    What ``write`` has acknowledged survives ``kill -9``; what was acknowledged before ``sync`` survives a power failure
    when ``sync`` returns.

    When a commit fails because of one item alone, the others are written without it; when the store as a whole is
    unavailable (full, locked, damaged), every waiter gets that ``StoreError``.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._batcher: Batcher[Work, Any] = Batcher("writer", self._commit)
        self._syncer: Batcher[None, None] = Batcher("syncer", self._sync)

    async def write(self, work: Work) -> Any:
        """Commit ``work`` and return its answer (None for a row). Raises ``StoreError``."""
        return await self._batcher.submit(work)

    async def sync(self) -> None:
        """Wait until the disk holds all that was written before. Raises ``StoreError``."""
        await self._syncer.submit(None)

    def close(self) -> None:
        """Commit what is waiting, then end."""
        self._batcher.close()
        self._syncer.close()

    def _sync(self, waiting: Sequence[None]) -> Sequence[None]:
        self._database.sync()
        return waiting

    def _commit(self, works: Sequence[Work]) -> Sequence[Any]:
        try:
            with self._database.write(quick=True) as connection:
                return _apply(connection, works)
        except StoreUnavailableError:
            raise
        except Exception:
            if len(works) == 1:
                raise
        return [self._commit_alone(work) for work in works]

    def _commit_alone(self, work: Work) -> Any:
        try:
            return self._commit([work])[0]
        except Exception as error:  # noqa: BLE001 - handed to the one waiter whose work it is
            return error


def _apply(connection: Connection, works: Sequence[Work]) -> list[Any]:
    answers: list[Any] = []
    rows: dict[Insert | BulkInsert, list[Any]] = {}
    for work in works:
        if isinstance(work, BulkRow):
            rows.setdefault(work.insert, []).append(work.values)
            answers.append(None)
        elif isinstance(work, RowWrite):
            rows.setdefault(work.statement, []).append(work.values)
            answers.append(None)
        else:  # a function may depend on rows submitted before it
            _flush(connection, rows)
            answers.append(work(connection))
    _flush(connection, rows)
    return answers


def _flush(connection: Connection, rows: dict[Insert | BulkInsert, list[Any]]) -> None:
    for statement, values in rows.items():
        if isinstance(statement, BulkInsert):
            statement.execute(connection, values)
        else:
            connection.execute(statement, values)
    rows.clear()
