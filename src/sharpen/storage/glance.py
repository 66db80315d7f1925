"""What ``check`` asks of a SQLite store, by the standard library alone: what opens a whole store takes as long to load
as the rest of a check. It reads, and changes nothing: no upgrade, no clearing up after a process that was killed.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from sharpen.errors import StoreError
from sharpen.optimizer.ports import CaseMemory
from sharpen.optimizer.proof.memory_ledger import MemoryLedger
from sharpen.storage.exact_text import exact_text, plain_text
from sharpen.storage.revision import REVISION, VERSION_TABLE

_PATIENCE_S = 1.0
_MEMORY = """
    SELECT c.case_key, SUM(c.part = 'holdout'), MAX(c.part = 'holdout' AND h.accepted), MAX(c.part = 'seen')
    FROM holdout_cases c JOIN holdouts h ON h.id = c.holdout
    WHERE h.workflow_id = :workflow AND (c.part = 'seen' OR c.looked) AND h.search <> :search AND h.id <> :proof
    AND NOT EXISTS (SELECT 1 FROM holdouts own WHERE own.id = :search AND own.begun_at <= h.begun_at)
    GROUP BY c.case_key"""
_CLAIMED = """
    SELECT search FROM holdouts WHERE workflow_id = :workflow AND fingerprint = :fingerprint AND accepted
    ORDER BY begun_at LIMIT 1"""
_RAN = "SELECT run_id FROM runs WHERE prompt_hash = :prompt AND workflow_id = :workflow LIMIT 1"


class Glance(MemoryLedger):
    """What ``HoldoutRepository`` would tell, to plan by. Nothing is noted in the store."""

    def __init__(self, connection: sqlite3.Connection, file: Path) -> None:
        super().__init__()
        self._connection, self._file = connection, file

    def memory(self, workflow_id: str, *, search_id: str = "", proof_id: str = "") -> dict[str, CaseMemory]:
        """As ``HoldoutRepository.memory``."""
        found = self._ask(_MEMORY, workflow=workflow_id, search=search_id, proof=proof_id)
        return {key: CaseMemory(int(looks), bool(spent), bool(seen)) for key, looks, spent, seen in found}

    def claimed_by(self, workflow_id: str, fingerprint: str) -> str | None:
        """As ``HoldoutRepository.claimed_by``."""
        found = self._ask(_CLAIMED, workflow=workflow_id, fingerprint=fingerprint)
        return found[0][0] if found else None

    def ran(self, workflow_id: str, prompt_hash: str) -> bool:
        """Whether this prompt was run before."""
        return bool(self._ask(_RAN, workflow=workflow_id, prompt=prompt_hash))

    def _ask(self, query: str, **values: str) -> list[tuple[Any, ...]]:
        """Rows that begin with a text. Raises ``StoreError``."""
        try:
            found = self._connection.execute(query, {name: exact_text(one) for name, one in values.items()}).fetchall()
        except sqlite3.Error as error:
            raise StoreError(f"store {str(self._file)!r} cannot be read: {error}") from error
        return [(plain_text(first), *others) for first, *others in found]


@contextmanager
def glance(file: Path) -> Iterator[Glance | None]:
    """None for what only opening the store can tell more of: it is of another schema, locked, or no store at all."""
    try:
        connection = sqlite3.connect(
            f"{file.absolute().as_uri()}?mode=rw", timeout=_PATIENCE_S, isolation_level=None, uri=True
        )
    except sqlite3.Error:
        yield None
        return
    with closing(connection):
        yield Glance(connection, file) if _is_current(connection) else None


def _is_current(connection: sqlite3.Connection) -> bool:
    try:
        connection.execute("PRAGMA query_only = ON")
        connection.execute("BEGIN")  # all of it is one state of the store
        found = connection.execute(f"SELECT version_num FROM {VERSION_TABLE}").fetchone()  # noqa: S608 - ours
    except (sqlite3.Error, ValueError):
        return False
    return bool(found == (REVISION,))
