"""Group commit: many small writes share one transaction, and many transactions one wait for the disk."""

from __future__ import annotations

import random
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection

from sharpen.storage.batching import Batcher
from sharpen.storage.bulk import BulkInsert
from sharpen.storage.engine import Database
from sharpen.storage.failures import StoreConflictError, StoreUnavailableError
from sharpen.storage.journal import Journal, line_of
from sharpen.storage.rounds import Rounds

_ATTEMPTS = 8


@dataclass(frozen=True, slots=True)
class BulkRow:
    """One row of a table that many rows go to. ``done``, called in the writer's thread, says that it is committed, or
    why it is not.
    """

    insert: BulkInsert
    values: tuple[Any, ...]
    done: Callable[[Exception | None], None] | None = None


Work = BulkRow | Callable[[Connection], Any]
"""What can be written: a row, or a function that writes within the shared transaction and returns an answer."""


class Writer:
    """The one writer of this process.

    What ``post`` has taken and what ``write`` has acknowledged survives ``kill -9``; all that came before ``sync``
    survives a power failure when ``sync`` returns, and everybody can read it.

    When a commit fails because of one item alone, the others are written without it; when the store as a whole is
    unavailable (full, locked, damaged), every waiter gets that ``StoreError``.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._journal = Journal(database.file, database.name) if database.file else None
        self._posted: deque[BulkRow] = deque()
        self._posting = threading.Lock()
        self._rounds: Rounds[tuple[BulkRow, bytes]] = Rounds(self._note)
        self._committing = threading.Lock()
        self._failed: Exception | None = None
        self._given_up = False
        self._batcher: Batcher[Work, Any] = Batcher("writer", self._commit)
        self._syncer: Batcher[None, None] = Batcher("syncer", self._sync)

    async def post(self, row: BulkRow, *, soon: bool = False) -> None:
        """Take a row that will be committed by the next ``write`` or ``sync`` (``soon``: by itself in a moment).

        Returns when the journal holds it: a row that is wanted ``soon`` at once, others together with all that one
        round of the event loop brings. Where no journal can be kept, after the commit. Raises ``StoreError``; what goes
        wrong later is raised by ``sync``.
        """
        if self._journal is None:
            await self.write(row)
            if row.done:
                row.done(None)
            return
        item = row, line_of(row.insert.table, row.values)
        if soon:
            self._note([item])
            self._batcher.nudge()
        else:
            await self._rounds.submit(item)

    async def write(self, work: Work) -> Any:
        """Commit ``work`` and return its answer (None for a row). Raises ``StoreError``."""
        return await self._batcher.submit(work)

    async def sync(self) -> None:
        """Wait until everything before is committed and the disk holds it. Raises ``StoreError``."""
        mark = 0
        if self._journal:
            with self._posting:  # whatever is before the mark has been posted, too
                mark = self._journal.mark()
            await self._batcher.submit(_nothing)  # what was posted may be in a commit that is under way
        await self._syncer.submit(None)
        failed, self._failed = self._failed, None
        if failed:
            raise failed
        if self._journal:
            self._journal.committed(mark)

    def _note(self, items: Sequence[tuple[BulkRow, bytes]]) -> None:
        assert self._journal is not None  # else they are written
        with self._posting:
            self._journal.extend([(row.insert.table, row.insert.columns, line) for row, line in items])
            self._posted.extend(row for row, _ in items)

    def flush(self) -> None:
        """Commit now what was posted, so that everybody can read it. Blocks. Raises ``StoreError``."""
        self._commit(())

    def close(self) -> None:
        """Commit what is waiting, then end. What cannot be committed stays in the journal."""
        self._batcher.close()
        self._syncer.close()
        kept = self._given_up and bool(self._posted)  # not to be waited for once more: the journal keeps it
        if not kept:
            try:
                self.flush()
            except Exception:  # noqa: BLE001 - whoever waited for it has been told; the journal keeps it
                kept = True
        if self._journal:
            self._journal.close(keep=kept)

    def _sync(self, waiting: Sequence[None]) -> Sequence[None]:
        self._database.sync()
        return waiting

    def _commit(self, works: Sequence[Work]) -> Sequence[Any]:
        with self._committing:
            return self._commit_all(works)

    def _commit_all(self, works: Sequence[Work]) -> Sequence[Any]:
        posted = [self._posted.popleft() for _ in range(len(self._posted))]
        if not posted and all(work is _nothing for work in works):
            return [None] * len(works)
        try:
            answers = self._together([*posted, *works])[len(posted) :]
        except StoreUnavailableError:
            self._posted.extendleft(reversed(posted))
            self._given_up = True
            raise
        except Exception:
            if len(works) == 1 and not posted:
                raise
            while posted:
                try:
                    self._commit_posted(posted[0])
                except StoreUnavailableError:
                    self._posted.extendleft(reversed(posted))
                    raise
                del posted[0]
            return [self._commit_alone(work) for work in works]
        for row in posted:
            if row.done:
                row.done(None)
        return answers

    def _commit_posted(self, row: BulkRow) -> None:
        failed: Exception | None = None
        try:
            self._together([row])
        except StoreUnavailableError:
            raise
        except Exception as error:  # noqa: BLE001 - handed to whoever asks for it
            failed = error
        if row.done:
            row.done(failed)
        else:
            self._failed = self._failed or failed

    def _commit_alone(self, work: Work) -> Any:
        try:
            return self._together([work])[0]
        except Exception as error:  # noqa: BLE001 - handed to the one waiter whose work it is
            return error

    def _together(self, works: Sequence[Work]) -> list[Any]:
        """In one transaction, done again when it had to give way to another process's."""
        for attempt in range(_ATTEMPTS):
            try:
                with self._database.write(quick=True) as connection:
                    return _apply(connection, works)
            except StoreConflictError:
                if attempt == _ATTEMPTS - 1:
                    raise
                time.sleep(random.uniform(0, 0.01 * 2**attempt))
        raise AssertionError("unreachable")


def _nothing(_: Connection) -> None:
    """Work that is done when all before it is."""


def _apply(connection: Connection, works: Sequence[Work]) -> list[Any]:
    answers: list[Any] = []
    rows: dict[BulkInsert, list[Any]] = {}
    for work in works:
        if isinstance(work, BulkRow):
            rows.setdefault(work.insert, []).append(work.values)
            answers.append(None)
        else:  # a function may depend on rows submitted before it
            _flush(connection, rows)
            answers.append(work(connection))
    _flush(connection, rows)
    return answers


def _flush(connection: Connection, rows: dict[BulkInsert, list[Any]]) -> None:
    for insert, values in rows.items():
        insert.execute(connection, values)
    rows.clear()
