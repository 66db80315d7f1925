"""Claims: which process pays for which answer, so that no two pay for the same one (statements only)."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from sqlalchemy import Connection, bindparam, delete, select

from sharpen.storage import schema
from sharpen.storage.upsert import insert_or_keep

_CLAIMS = schema.claims.c

_END = delete(schema.claims).where(_CLAIMS.key == bindparam("claimed"), _CLAIMS.owner == bindparam("by"))


def owners_of(connection: Connection, keys: Collection[str]) -> dict[str, str]:
    """Who pays for which of ``keys``."""
    if not keys:
        return {}
    return {row.key: row.owner for row in connection.execute(select(schema.claims).where(_CLAIMS.key.in_(keys)))}


def take(connection: Connection, keys: Collection[str], owner: str) -> frozenset[str]:
    """Claim ``keys`` for ``owner``; those that are its own now, for nobody else was faster."""
    before = owners_of(connection, keys)
    free = sorted(key for key in keys if key not in before)  # one order: two servers' transactions cannot entangle
    if not free:
        return frozenset()
    statement = insert_or_keep(connection.dialect.name, schema.claims)
    connection.execute(statement, [{"key": key, "owner": owner} for key in free])
    if connection.dialect.name == "sqlite":  # one writer at a time: what was free is ours
        return frozenset(free)
    after = owners_of(connection, free)
    return frozenset(key for key in free if after.get(key) == owner)


def end(connection: Connection, keys: Iterable[str], owner: str) -> None:
    """End claims of ``owner``: answered, or given up."""
    rows = [{"claimed": key, "by": owner} for key in keys]
    if rows:
        connection.execute(_END, rows)


def drop(connection: Connection, owners: Collection[str]) -> None:
    """End all claims of ``owners``, who are gone."""
    if owners:
        connection.execute(delete(schema.claims).where(_CLAIMS.owner.in_(owners)))
