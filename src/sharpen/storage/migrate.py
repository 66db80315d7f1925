"""Bring a store to the schema of this code. Nothing is imported or written when it is there already."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from sqlalchemy import Connection, exc, inspect, text

from sharpen import events
from sharpen.errors import StoreError
from sharpen.storage.backup import back_up
from sharpen.storage.engine import Database
from sharpen.storage.history import fill_history
from sharpen.storage.revision import REVISION, VERSION_TABLE
from sharpen.storage.schema import metadata

if TYPE_CHECKING:
    from alembic.config import Config

_LOG = logging.getLogger("sharpen.store")
_REVISION_QUERY = text(f"SELECT version_num FROM {VERSION_TABLE}")  # noqa: S608 - a constant of ours
COPY_MARK = "copy-"
"""How the revision of a store begins that is a copy under way, see ``copying``."""
_LOCK = 7_364_010_423
"""Of PostgreSQL's advisory locks, the one for changes of our schema; any number that nobody else uses."""


class Upgrade(NamedTuple):
    """What was done: revisions before (None: there was nothing) and after, and the copy of what was there before."""

    before: str | None
    after: str
    backup: Path | None = None


def ensure_current(database: Database, told: Callable[[Upgrade], None] | None = None) -> Upgrade | None:
    """Create the tables, or upgrade those of a SQLite file, after a backup. None when there was nothing to do.

    An older store on a server may be others' too, who are at work on it: that is refused, for ``upgrade`` to be asked.
    Raises ``StoreError`` for a store of a newer sharpen or another program's tables. ``told`` hears of an upgrade.

    Safe when several processes open a store at once: the first one upgrades, the others wait and see it done.
    """
    if revision_of(database) == REVISION:
        return None
    return upgrade(database, told, asked=database.engine.dialect.name == "sqlite")


def upgrade(database: Database, told: Callable[[Upgrade], None] | None = None, *, asked: bool = True) -> Upgrade | None:
    """As ``ensure_current``, on a server too unless it was not ``asked`` for."""
    with database.write() as connection:
        before = _lock(connection, database.name)
        if before == REVISION:  # another process was faster
            return None
        if before is not None and not asked:
            raise StoreError(
                f"store {database.name} was made by an older sharpen (its schema is {before!r}, this one needs "
                f"{REVISION!r}); back it up (pg_dump), then: sharpen store upgrade --store URL"
            )
        file = _file_of(connection)
        backup = back_up(file, before, database.name) if file and before else None
        _run_migrations(connection)
        fill_history(connection)
    done = Upgrade(before, REVISION, backup)
    if before is not None:
        events.emit(_LOG, logging.INFO, "store_upgraded", before=before, after=REVISION)
        if told:
            told(done)
    return done


def revision_of(database: Database) -> str | None:
    """The revision that the store is at; None for a database without our tables."""
    try:
        with database.engine.connect() as connection:
            return connection.execute(_REVISION_QUERY).scalar()
    except exc.DBAPIError:  # no such table, or something worse: the inspection tells
        with database.read() as connection:
            if inspect(connection).has_table(VERSION_TABLE):
                raise
            return None


def config(connection: Connection | None = None) -> Config:
    """Alembic's configuration, without any file of the user's."""
    from alembic.config import Config

    made = Config()
    made.set_main_option("script_location", str(Path(__file__).parent / "migrations").replace("%", "%%"))
    made.set_main_option("path_separator", "os")
    made.attributes["connection"] = connection
    return made


def _lock(connection: Connection, name: str) -> str | None:
    """Be the only one to change the schema; the revision it is at. Raises ``StoreError`` when it is none of ours."""
    from alembic.script import ScriptDirectory

    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
        encoding = connection.execute(text("SHOW server_encoding")).scalar()
        if encoding != "UTF8":
            raise StoreError(
                f"store {name} is a database with the encoding {encoding}, which cannot hold every text; "
                "expected one made WITH ENCODING 'UTF8'"
            )
    if inspect(connection).has_table(VERSION_TABLE):
        revision = connection.execute(_REVISION_QUERY).scalar()
        known = {script.revision for script in ScriptDirectory.from_config(config()).walk_revisions()}
        if revision is not None and revision.startswith(COPY_MARK):
            raise StoreError(
                f"store {name} is a copy that is under way, or was cut off; finish it: sharpen store copy FROM TO"
            )
        if revision is not None and revision not in known:
            raise StoreError(
                f"store {name} was created by a newer sharpen (its schema is {revision!r}, this one knows up to "
                f"{REVISION!r}); upgrade sharpen or name another store"
            )
        return None if revision is None else str(revision)
    if foreign := sorted(set(inspect(connection).get_table_names()) & set(metadata.tables)):
        raise StoreError(
            f"store {name} is a database of another program: it has tables {', '.join(map(repr, foreign))} "
            "that sharpen did not make; name another store"
        )
    return None


def _file_of(connection: Connection) -> Path | None:
    """The file of a SQLite database."""
    if connection.dialect.name != "sqlite":
        return None
    places = {row[1]: row[2] for row in connection.exec_driver_sql("PRAGMA database_list")}
    return Path(places["main"])


def _run_migrations(connection: Connection) -> None:
    from alembic import command

    command.upgrade(config(connection), "head")
    if connection.dialect.name == "postgresql":
        _compare_bytewise(connection)


def _compare_bytewise(connection: Connection) -> None:
    """Texts are ordered as SQLite does it, whatever the server's language: by code points.

    Moments sort by it, and so do the beginnings of ids, which an index finds only in such an order.
    """
    found = connection.execute(
        text(
            "SELECT c.relname, a.attname FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid "
            "JOIN pg_collation l ON l.oid = a.attcollation "
            "WHERE c.relkind = 'r' AND a.attnum > 0 AND NOT a.attisdropped AND l.collname <> 'C' "
            "AND a.atttypid = 'text'::regtype AND c.relnamespace = current_schema()::regnamespace"
        )
    )
    quote = connection.dialect.identifier_preparer.quote
    by_table: dict[str, list[str]] = {}
    for table, column in found:
        if table in metadata.tables:
            by_table.setdefault(table, []).append(f'ALTER COLUMN {quote(column)} TYPE TEXT COLLATE "C"')
    for table, changes in by_table.items():
        connection.exec_driver_sql(f"ALTER TABLE {quote(table)} {', '.join(changes)}")
