"""Optimizations under way, or cut off: what it takes to go on with them."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, delete, select

from sharpen.storage import schema
from sharpen.storage.engine import Database
from sharpen.storage.lookup import find_begun
from sharpen.storage.records import SearchRecord
from sharpen.storage.upsert import insert_or_keep, insert_or_replace

_SEARCHES, _CALLS = schema.searches.c, schema.search_calls.c


class SearchRepository:
    """Searches by the id of their optimization, and the calls they made outside of any run, by number."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def begin(self, record: SearchRecord) -> None:
        """Note that a search begins; one that is noted already goes on."""
        with self._database.write() as connection:
            connection.execute(insert_or_keep(connection.dialect.name, schema.searches), dict(record))

    def find(self, search_id: str) -> SearchRecord | None:
        """The search with that id; None when there is none, or it came to its end."""
        with self._database.read() as connection:
            row = connection.execute(select(schema.searches).where(_SEARCHES.id == search_id)).first()
            return None if row is None else SearchRecord.model_validate(dict(row._mapping))

    def list(self) -> tuple[SearchRecord, ...]:
        """All searches that did not come to their end, newest first."""
        query = select(schema.searches).order_by(_SEARCHES.started_at.desc())
        with self._database.read() as connection:
            return tuple(SearchRecord.model_validate(dict(row._mapping)) for row in connection.execute(query))

    def drop(self, search_id: str) -> None:
        """Forget a search of which nothing is worth going on with."""
        with self._database.write() as connection:
            drop_search(connection, search_id)

    def identify(self, ref: str) -> tuple[str, str]:
        """("run" or "optimization", id) of what ``ref`` names or begins.

        Raises ``UnknownNameError``, or ``UserError`` when several begin so.
        """
        with self._database.read() as connection:
            return find_begun(connection, ref)

    def save_call(self, search_id: str, number: int, question: str, outcome: dict[str, Any]) -> None:
        """Keep how call ``number`` of a search ended; ``question`` is what was asked, hashed."""
        row = {"search": search_id, "number": number, "question": question, "outcome": outcome}
        with self._database.write() as connection:
            connection.execute(insert_or_replace(connection.dialect.name, schema.search_calls), row)

    def calls(self, search_id: str) -> dict[int, tuple[str, dict[str, Any]]]:
        """(question, outcome) of the calls of a search, by number."""
        query = select(_CALLS.number, _CALLS.question, _CALLS.outcome).where(_CALLS.search == search_id)
        with self._database.read() as connection:
            return {row.number: (row.question, row.outcome) for row in connection.execute(query)}


def drop_search(connection: Connection, search_id: str) -> None:
    """Forget a search; its calls go with it."""
    connection.execute(delete(schema.searches).where(_SEARCHES.id == search_id))
