"""Claims: which process pays for which answer, so that no two pay for the same one (statements only)."""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import Connection, Dialect, delete, select

from sharpen.storage import schema
from sharpen.storage.bulk import BulkInsert
from sharpen.storage.by_keys import ByKeys

_CLAIMS = schema.claims.c


class Claims:
    """The statements, made once. They run within the caller's transaction."""

    def __init__(self, dialect: Dialect) -> None:
        self._insert = BulkInsert(schema.claims, dialect, ("key", "owner"), keep=True)
        self._delete = ByKeys("DELETE FROM claims WHERE owner = ? AND key", dialect)

    def take(self, connection: Connection, keys: Collection[str], owner: str) -> None:
        """Claim what is free; ``of_others`` tells what was not."""
        # in one order everywhere, so that transactions that wait for each other do not do so in a circle
        self._insert.execute(connection, [(key, owner) for key in sorted(keys)])

    def of_others(self, connection: Connection, owner: str) -> dict[str, str]:
        """What everybody else pays for, and who."""
        rows = connection.execute(select(schema.claims).where(_CLAIMS.owner != owner))
        return {row.key: row.owner for row in rows}

    def end(self, connection: Connection, keys: Collection[str], owner: str) -> None:
        """End those claims of ``owner``."""
        self._delete.execute(connection, keys, owner)

    def drop(self, connection: Connection, owners: Collection[str]) -> None:
        """End all claims of ``owners``, who are gone."""
        connection.execute(delete(schema.claims).where(_CLAIMS.owner.in_(owners)))
